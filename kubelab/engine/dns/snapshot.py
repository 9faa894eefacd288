"""What the name server knows of the cluster, indexed by what names ask for."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

SERVICE_NAME_LABEL = "kubernetes.io/service-name"

Object = dict[str, Any]


class Port(NamedTuple):
    """A named port, for SRV records."""

    name: str
    protocol: str
    """``tcp``, ``udp`` or ``sctp``."""
    number: int


class Endpoint(NamedTuple):
    """A ready endpoint."""

    ip: str
    hostname: str
    """The label in front of the Service's name: the endpoint's hostname, its pod's name where the Corefile has
    ``endpoint_pod_names``, or its address with dashes."""
    ports: tuple[Port, ...]


@dataclass(frozen=True)
class ServiceNames:
    """One Service: exactly one of cluster IPs, external name or (headless) neither."""

    cluster_ips: tuple[str, ...] = ()
    external_name: str = ""
    ports: tuple[Port, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    """Sorted by address."""


Key = tuple[str, str]
"""Namespace and name of a Service."""


@dataclass(frozen=True)
class Snapshot:
    """All names of a cluster at one moment."""

    namespaces: frozenset[str] = frozenset()
    services: dict[Key, ServiceNames] = field(default_factory=dict)
    by_ip: dict[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    """Address → the labels (endpoint's, Service's, namespace) that a PTR question answers with."""
    pods: frozenset[Key] = frozenset()
    """Namespace and address of every pod; followed only where pods' names are to be verified."""
    modified: int = 1
    """When this was read, as the zone's serial number: seconds since 1970."""

    @classmethod
    def of(
        cls,
        namespaces: Iterable[Object],
        services: Iterable[Object],
        slices: Iterable[Object],
        pods: Iterable[Object] = (),
        *,
        only: Collection[str] = (),
        endpoint_pod_names: bool = False,
        modified: int = 1,
    ) -> Snapshot:
        """Read the objects, those of the namespaces ``only`` if any are given."""
        endpoints = _endpoints(slices, endpoint_pod_names)
        found = {_key(each): _service(each, endpoints.get(_key(each), {})) for each in services}
        if only:
            found = {key: service for key, service in found.items() if key[0] in only}
        names = {each["metadata"]["name"] for each in namespaces} | {namespace for namespace, _ in found}
        alive = frozenset(
            (_key(pod)[0], pod["status"]["podIP"])
            for pod in pods
            if (pod.get("status") or {}).get("podIP") and not pod["metadata"].get("deletionTimestamp")
        )
        return cls(frozenset(names & set(only) if only else names), found, _reverse(found), alive, modified)


def _key(obj: Object) -> Key:
    return obj["metadata"].get("namespace") or "default", obj["metadata"]["name"]


def _service(service: Object, endpoints: dict[str, Endpoint]) -> ServiceNames:
    spec = service.get("spec") or {}
    if spec.get("type") == "ExternalName":
        target = (spec.get("externalName") or "").rstrip(".")
        return ServiceNames(external_name="" if _is_address(target) else target)  # an address is no name to lead to
    given = spec.get("clusterIPs") or [spec.get("clusterIP")]
    ports = tuple(
        Port(port.get("name") or "", (port.get("protocol") or "TCP").lower(), port["port"])
        for port in spec.get("ports") or ()
    )
    in_order = tuple(endpoints[ip] for ip in sorted(endpoints, key=lambda ip: ipaddress.ip_address(ip).packed))
    return ServiceNames(tuple(ip for ip in given if ip and ip != "None"), "", ports, in_order)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _endpoints(slices: Iterable[Object], pod_names: bool) -> dict[Key, dict[str, Endpoint]]:
    """Service → address → endpoint; an address in several slices has the ports of all of them."""
    found: dict[Key, dict[str, Endpoint]] = {}
    for each in slices:
        service = (each["metadata"].get("labels") or {}).get(SERVICE_NAME_LABEL)
        if not service or each.get("addressType") not in ("IPv4", "IPv6"):
            continue
        ports = tuple(
            Port(port.get("name") or "", (port.get("protocol") or "TCP").lower(), port["port"])
            for port in each.get("ports") or ()
            if port.get("port")
        )
        known = found.setdefault((each["metadata"].get("namespace") or "default", service), {})
        for endpoint in each.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is False:
                continue
            for ip in endpoint.get("addresses") or ():
                before = known[ip].ports if ip in known else ()
                known[ip] = Endpoint(ip, _label(endpoint, ip, pod_names), tuple(dict.fromkeys((*before, *ports))))
    return found


def _label(endpoint: Object, ip: str, pod_names: bool) -> str:
    pod = (endpoint.get("targetRef") or {}).get("name") if pod_names else None
    return endpoint.get("hostname") or pod or ip.replace(".", "-").replace(":", "-")


def _reverse(services: dict[Key, ServiceNames]) -> dict[str, tuple[tuple[str, ...], ...]]:
    found: dict[str, tuple[tuple[str, ...], ...]] = {}
    for (namespace, name), service in services.items():
        for endpoint in service.endpoints:
            labels = (endpoint.hostname, name, namespace)
            found[endpoint.ip] = (*found.get(endpoint.ip, ()), labels)
    for (namespace, name), service in services.items():
        for ip in service.cluster_ips:
            found[ip] = ((name, namespace),)
    return found
