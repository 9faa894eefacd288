"""Endpoints as a proxy sees them, and which of them a Service's port may use on this node, whatever the mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kubelab.engine.proxy.addresses import canonical_ip, with_port
from kubelab.engine.proxy.services import PortName, ServicePort

HEADLESS_LABEL = "service.kubernetes.io/headless"
SERVICE_NAME_LABEL = "kubernetes.io/service-name"
ZONE_LABEL = "topology.kubernetes.io/zone"

_ADDRESS_TYPE = {4: "IPv4", 6: "IPv6"}

Object = dict[str, Any]


@dataclass(frozen=True)
class NodeView:
    """What a proxy knows of its node."""

    name: str
    ips: tuple[str, ...] = ()
    """The node's own addresses, internal ones first; the first of each family is *the* node IP."""
    zone: str = ""
    pod_cidrs: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, node: Object | None) -> NodeView:
        """Read a Node object; None (not registered yet) knows nothing but the name."""
        if node is None:
            return cls(name)
        spec, addresses = node.get("spec") or {}, (node.get("status") or {}).get("addresses") or ()
        kinds = ("InternalIP", "ExternalIP")
        ips = [canonical_ip(each["address"]) for kind in kinds for each in addresses if each["type"] == kind]
        cidrs = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
        zone = (node["metadata"].get("labels") or {}).get(ZONE_LABEL, "")
        return cls(name, tuple(ip for ip in ips if ip), zone, tuple(cidrs))


@dataclass(frozen=True)
class Endpoint:
    """One address and port behind a Service's port."""

    ip: str
    port: int
    local: bool = False
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    zones: frozenset[str] = field(default_factory=frozenset)
    """Zones that the topology hints name."""
    nodes: frozenset[str] = field(default_factory=frozenset)
    """Nodes that the topology hints name."""

    def __str__(self) -> str:
        """``ip:port``: what endpoints are sorted and named by."""
        return with_port(self.ip, self.port)


def slice_endpoints(each: Object, node_name: str, family: int) -> list[tuple[PortName, Endpoint]]:
    """What one EndpointSlice says, for the eyes of a node's proxy."""
    meta = each["metadata"]
    labels = meta.get("labels") or {}
    service = labels.get(SERVICE_NAME_LABEL)
    if not service or HEADLESS_LABEL in labels or each.get("addressType") != _ADDRESS_TYPE[family]:
        return []
    found = []
    for port in each.get("ports") or ():
        number = port.get("port")
        if port.get("name") is None or not number:
            continue
        protocol = (port.get("protocol") or "TCP").lower()
        name = PortName(meta.get("namespace") or "default", service, port["name"], protocol)
        found += [
            (name, read) for endpoint in each.get("endpoints") or () if (read := _read(endpoint, number, node_name))
        ]
    return found


def _read(endpoint: Object, port: int, node_name: str) -> Endpoint | None:
    addresses = endpoint.get("addresses")
    ip = canonical_ip(addresses[0]) if addresses else None
    if ip is None:
        return None
    conditions, hints = endpoint.get("conditions") or {}, endpoint.get("hints") or {}
    return Endpoint(
        ip,
        port,
        local=endpoint.get("nodeName") == node_name,
        ready=conditions.get("ready") is not False,
        serving=conditions.get("serving") is not False,
        terminating=bool(conditions.get("terminating")),
        zones=frozenset(each["name"] for each in hints.get("forZones") or ()),
        nodes=frozenset(each["name"] for each in hints.get("forNodes") or ()),
    )


class Usable(NamedTuple):
    """Which endpoints a Service's port may use on this node."""

    cluster: tuple[Endpoint, ...]
    """For traffic under the policy ``Cluster``."""
    local: tuple[Endpoint, ...]
    """For traffic under the policy ``Local``."""
    reachable: tuple[Endpoint, ...]
    """Those that any traffic may reach."""
    any: bool
    """Whether there is a usable endpoint anywhere in the cluster."""


def usable(port: ServicePort, endpoints: tuple[Endpoint, ...], node: NodeView) -> Usable:
    """Ready endpoints, or where there is none those that still serve while they terminate (KEP-1669)."""
    prefer = _topology(endpoints, node)
    cluster: tuple[Endpoint, ...] = ()
    if port.uses_cluster_endpoints:
        ready = tuple(each for each in endpoints if each.ready and (prefer is None or prefer(each)))
        cluster = ready or _leaving(endpoints)
    if not port.uses_local_endpoints:
        return Usable(cluster, (), cluster, bool(cluster))
    local = tuple(each for each in endpoints if each.ready and each.local)
    fell_back = not local
    if fell_back:
        local = tuple(each for each in _leaving(endpoints) if each.local)
    found = bool(cluster) or any(each.ready or (each.serving and each.terminating) for each in endpoints)
    if not port.uses_cluster_endpoints:
        return Usable((), local, local, found)
    if prefer is None and not fell_back:
        return Usable(cluster, local, cluster, found)
    merged = {str(each): each for each in (*cluster, *local)}
    return Usable(cluster, local, tuple(merged[text] for text in sorted(merged)), found)


def _leaving(endpoints: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    return tuple(each for each in endpoints if each.serving and each.terminating)


def _topology(endpoints: tuple[Endpoint, ...], node: NodeView) -> Callable[[Endpoint], bool] | None:
    """Which endpoints the hints prefer here, or None: they count only when every ready endpoint has one (KEP-4444)."""
    ready = [each for each in endpoints if each.ready]
    if ready and all(each.nodes for each in ready) and any(node.name in each.nodes for each in ready):
        return lambda each: node.name in each.nodes
    if node.zone and ready and all(each.zones for each in ready) and any(node.zone in each.zones for each in ready):
        return lambda each: node.zone in each.zones
    return None


def node_ip(node: NodeView, family: int) -> str:
    """*The* address of the node in a family; the loopback address of one that has none."""
    return next((ip for ip in node.ips if (":" in ip) == (family == 6)), "::1" if family == 6 else "127.0.0.1")


EndpointMap = Mapping[PortName, tuple[Endpoint, ...]]
