"""All that a proxy's rules depend on, read from the objects of the API."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kubelab.engine.proxy.endpoints import Endpoint, EndpointMap, NodeView, endpoint_map
from kubelab.engine.proxy.services import PortName, ServicePort, service_ports

Object = dict[str, Any]


@dataclass(frozen=True)
class ProxyState:
    """One address family of one node. ``services`` is sorted by name."""

    family: int
    node: NodeView
    services: dict[PortName, ServicePort]
    endpoints: EndpointMap

    @classmethod
    def of(cls, node: NodeView, services: Iterable[Object], slices: Iterable[Object], family: int = 4) -> ProxyState:
        """Read Services and EndpointSlices."""
        ports = [port for service in services for port in service_ports(service, family)]
        by_name = {port.name: port for port in sorted(ports, key=lambda port: (str(port.name), port.protocol))}
        return cls(family, node, by_name, endpoint_map(slices, node, family))

    def endpoints_of(self, name: PortName) -> tuple[Endpoint, ...]:
        """Every known endpoint of a port, usable or not."""
        return self.endpoints.get(name, ())

    @property
    def endpoint_count(self) -> int:
        """Every known endpoint of every Service's port: what makes a large cluster."""
        return sum(len(self.endpoints_of(name)) for name in self.services)

    def changed_since(self, before: ProxyState) -> frozenset[PortName]:
        """The ports whose Service or endpoints differ, and those that are gone."""
        names = {*self.services, *before.services}
        return frozenset(
            name
            for name in names
            if self.services.get(name) != before.services.get(name)
            or self.endpoints_of(name) != before.endpoints_of(name)
        )
