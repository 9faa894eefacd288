"""Services as a proxy sees them: one `ServicePort` for every port, whatever the mode."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from kubelab.engine.proxy.addresses import canonical_cidr, canonical_ip, of_family

PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"
"""A Service with this label is another proxy's business."""

DEFAULT_AFFINITY_SECONDS = 10800

Object = dict[str, Any]


class PortName(NamedTuple):
    """Which port of which Service."""

    namespace: str
    service: str
    port: str
    """The port's name; empty for the only port of a Service."""
    protocol: str
    """``tcp``, ``udp`` or ``sctp``."""

    def __str__(self) -> str:
        """``namespace/name:port``, or ``namespace/name`` without a port name."""
        return f"{self.namespace}/{self.service}{':' if self.port else ''}{self.port}"


@dataclass(frozen=True)
class ServicePort:
    """One port of a Service in one address family."""

    name: PortName
    cluster_ip: str
    port: int
    node_port: int = 0
    external_ips: tuple[str, ...] = ()
    load_balancer_vips: tuple[str, ...] = ()
    source_ranges: tuple[str, ...] = ()
    external_policy_local: bool = False
    internal_policy_local: bool = False
    health_check_node_port: int = 0
    affinity_seconds: int = 0
    """How long a client keeps its endpoint (sessionAffinity ClientIP); 0 without affinity."""

    @property
    def protocol(self) -> str:
        """``tcp``, ``udp`` or ``sctp``."""
        return self.name.protocol

    @property
    def externally_accessible(self) -> bool:
        """Whether there is a way in besides the cluster IP."""
        return bool(self.node_port or self.load_balancer_vips or self.external_ips)

    @property
    def uses_cluster_endpoints(self) -> bool:
        """Whether some traffic may go to endpoints on any node."""
        return not self.internal_policy_local or self.externally_accessible

    @property
    def uses_local_endpoints(self) -> bool:
        """Whether some traffic may go to endpoints on this node only."""
        return self.internal_policy_local or (self.external_policy_local and self.externally_accessible)


def service_ports(service: Object, family: int) -> list[ServicePort]:
    """The ports of a Service in a family: none for one that is headless, an ExternalName or another proxy's."""
    meta, spec = service["metadata"], service.get("spec") or {}
    cluster_ip = _cluster_ip(spec, family)
    if cluster_ip is None or spec.get("type") == "ExternalName" or PROXY_NAME_LABEL in (meta.get("labels") or {}):
        return []
    external_ips = of_family(family, map(canonical_ip, spec.get("externalIPs") or ()))
    kind = spec.get("type") or "ClusterIP"
    local_matters = kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))
    external_local = spec.get("externalTrafficPolicy") == "Local" and local_matters
    health_check = spec.get("healthCheckNodePort") or 0
    return [
        ServicePort(
            name=PortName(
                meta.get("namespace") or "default",
                meta["name"],
                port.get("name") or "",
                (port.get("protocol") or "TCP").lower(),
            ),
            cluster_ip=cluster_ip,
            port=port["port"],
            node_port=port.get("nodePort") or 0,
            external_ips=external_ips,
            load_balancer_vips=_vips(service, family),
            source_ranges=_source_ranges(spec, family),
            external_policy_local=external_local,
            internal_policy_local=spec.get("internalTrafficPolicy") == "Local",
            health_check_node_port=health_check if kind == "LoadBalancer" and external_local else 0,
            affinity_seconds=_affinity(spec),
        )
        for port in spec.get("ports") or ()
    ]


def _cluster_ip(spec: Object, family: int) -> str | None:
    """``ipFamilies`` says which of ``clusterIPs`` is whose; ``clusterIP`` alone counts where there is no such list."""
    if spec.get("clusterIP") in (None, "", "None"):
        return None
    if not (families := spec.get("ipFamilies")):
        return next(iter(of_family(family, [canonical_ip(spec["clusterIP"])])), None)
    given = zip(families, spec.get("clusterIPs") or (), strict=False)
    return next((canonical_ip(ip) for each, ip in given if each == f"IPv{family}"), None)


def _vips(service: Object, family: int) -> tuple[str, ...]:
    """Addresses of the load balancer that the node itself translates (KEP-1860: ipMode VIP, the default)."""
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    vips: Iterable[str] = (each["ip"] for each in ingress if each.get("ip") and each.get("ipMode") in (None, "VIP"))
    return of_family(family, map(canonical_ip, vips))


def _source_ranges(spec: Object, family: int) -> tuple[str, ...]:
    ranges = of_family(family, map(canonical_cidr, spec.get("loadBalancerSourceRanges") or ()))
    return () if any(each.endswith("/0") for each in ranges) else ranges


def _affinity(spec: Object) -> int:
    if spec.get("sessionAffinity") != "ClientIP":
        return 0
    client_ip = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
    return client_ip.get("timeoutSeconds") or DEFAULT_AFFINITY_SECONDS
