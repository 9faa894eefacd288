"""What the name server knows of the cluster, indexed by what names ask for."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
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
    """The label in front of the Service's name: the endpoint's hostname, or its address with dashes."""
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

    @classmethod
    def of(cls, namespaces: Iterable[Object], services: Iterable[Object], slices: Iterable[Object]) -> Snapshot:
        """Read the objects."""
        endpoints = _endpoints(slices)
        found = {_key(each): _service(each, endpoints.get(_key(each), {})) for each in services}
        names = frozenset(each["metadata"]["name"] for each in namespaces)
        return cls(names.union(namespace for namespace, _ in found), found, _reverse(found))


def _key(obj: Object) -> Key:
    return obj["metadata"].get("namespace") or "default", obj["metadata"]["name"]


def _service(service: Object, endpoints: dict[str, Endpoint]) -> ServiceNames:
    spec = service.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return ServiceNames(external_name=(spec.get("externalName") or "").rstrip("."))
    given = spec.get("clusterIPs") or [spec.get("clusterIP")]
    ports = tuple(
        Port(port.get("name") or "", (port.get("protocol") or "TCP").lower(), port["port"])
        for port in spec.get("ports") or ()
    )
    in_order = tuple(endpoints[ip] for ip in sorted(endpoints, key=lambda ip: ipaddress.ip_address(ip).packed))
    return ServiceNames(tuple(ip for ip in given if ip and ip != "None"), "", ports, in_order)


def _endpoints(slices: Iterable[Object]) -> dict[Key, dict[str, Endpoint]]:
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
                label = endpoint.get("hostname") or ip.replace(".", "-").replace(":", "-")
                known[ip] = Endpoint(ip, label, tuple(dict.fromkeys((*before, *ports))))
    return found


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
