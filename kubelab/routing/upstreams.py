"""From a Service's port to the pods behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from kubelab.routing.model import Endpoint, Protocol, ServicePort, Upstream
from kubelab.routing.objects import Object, namespace_of

SERVICE_NAME = "kubernetes.io/service-name"
"""The label that ties a slice to its Service."""
PROTOCOLS: Mapping[str, Protocol] = {"kubernetes.io/h2c": "h2c", "grpc": "h2c"}
"""``kubernetes.io/h2c`` is KEP-3726's; ``grpc`` is what people write, and gRPC is spoken over HTTP/2 only."""
ENCRYPTED = ("https", "tls", "kubernetes.io/wss")


class Unresolved(Exception):
    """There is no such port of a Service. ``reason`` is that of a `Problem`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Services:
    """Services and their EndpointSlices, by name; remembers which ports were asked for."""

    def __init__(self, services: Iterable[Object], slices: Iterable[Object]) -> None:
        self._services = {(namespace_of(each), each["metadata"]["name"]): each for each in services}
        self._slices: defaultdict[tuple[str, str], list[Object]] = defaultdict(list)
        for each in slices:
            service = (each["metadata"].get("labels") or {}).get(SERVICE_NAME)
            if service:
                self._slices[namespace_of(each), service].append(each)
        self._upstreams: dict[ServicePort, Upstream] = {}

    @property
    def upstreams(self) -> dict[ServicePort, Upstream]:
        """The ports that were found, sorted, with their endpoints."""
        return dict(sorted(self._upstreams.items()))

    def port(self, namespace: str, name: str, wanted: str | int) -> ServicePort:
        """A Service's port by its name or number.

        Raises `Unresolved` when the Service is not there, has no such TCP port, or cannot be served from endpoints.
        """
        service = self._services.get((namespace, name))
        if service is None:
            raise Unresolved("ServiceNotFound", f"there is no Service {name} in namespace {namespace}")
        spec = service["spec"]
        if spec.get("type") == "ExternalName":
            raise Unresolved(
                "ExternalNameService", f"Service {name} is of type ExternalName: it is a DNS name without endpoints"
            )
        port = _find(spec.get("ports") or (), wanted)
        found = ServicePort(namespace, name, port["port"]) if port else None
        if port is None or found is None:
            raise Unresolved("PortNotFound", f"Service {name} has no TCP port {wanted}; it has {_listed(spec)}")
        if port.get("appProtocol") in ENCRYPTED:
            raise Unresolved(
                "EncryptedBackend",
                f"port {wanted} of Service {name} has appProtocol {port['appProtocol']}: TLS ends here, backends are "
                "spoken to without it",
            )
        if found not in self._upstreams:
            self._upstreams[found] = self._upstream((namespace, name), spec, port)
        return found

    def _upstream(self, key: tuple[str, str], spec: Object, port: Object) -> Upstream:
        """The ready endpoints; when there is none, those that still serve while they terminate (KEP-1669)."""
        family = (spec.get("ipFamilies") or ["IPv4"])[0]
        listed = list(_listed_endpoints(self._slices.get(key, ()), family, port.get("name") or ""))
        ready = {endpoint for endpoint, conditions in listed if conditions.get("ready") is not False}
        draining = {
            endpoint
            for endpoint, conditions in listed
            if conditions.get("serving") is not False and conditions.get("terminating") is True
        }
        protocol = PROTOCOLS.get(port.get("appProtocol") or "", "HTTP/1.1")
        return Upstream(tuple(sorted(ready or draining)), protocol)


def _find(ports: Iterable[Object], wanted: str | int) -> Object | None:
    key = "name" if isinstance(wanted, str) else "port"
    return next((port for port in ports if port.get(key) == wanted and port.get("protocol", "TCP") == "TCP"), None)


def _listed(spec: Object) -> str:
    """``80 (http), 9090 (metrics)``."""
    ports = spec.get("ports") or ()  # a headless Service may do without
    told = (f"{port['port']} ({port['name']})" if port.get("name") else f"{port['port']}" for port in ports)
    return ", ".join(told) or "none"


def _listed_endpoints(slices: Iterable[Object], family: str, port_name: str) -> Iterator[tuple[Endpoint, Object]]:
    """Every address with its conditions; the slice says the pods' own port, under the name of the Service's."""
    for each in slices:
        if each.get("addressType", "IPv4") != family:
            continue
        for port in each.get("ports") or ():
            if (port.get("name") or "") != port_name or port.get("protocol", "TCP") != "TCP" or not port.get("port"):
                continue
            for endpoint in each.get("endpoints") or ():
                target = endpoint.get("targetRef") or {}
                pod = target.get("name", "") if target.get("kind") == "Pod" else ""
                yield Endpoint(endpoint["addresses"][0], port["port"], pod), endpoint.get("conditions") or {}
