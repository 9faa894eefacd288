"""All that a proxy's rules depend on, read from the objects of the API, one change at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kubelab.engine.proxy.endpoints import Endpoint, EndpointMap, NodeView, slice_endpoints
from kubelab.engine.proxy.services import PortName, ServicePort, service_ports

Object = dict[str, Any]

Key = tuple[str, str]
"""Namespace and name."""


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
        tracker = Tracker(node.name, family)
        for service in services:
            tracker.note_service(None, service)
        for each in slices:
            tracker.note_slice(None, each)
        return tracker.state(node)

    def endpoints_of(self, name: PortName) -> tuple[Endpoint, ...]:
        """Every known endpoint of a port, usable or not."""
        return self.endpoints.get(name, ())

    @property
    def endpoint_count(self) -> int:
        """Every known endpoint of every Service's port: what makes a large cluster."""
        return sum(len(self.endpoints_of(name)) for name in self.services)


class Tracker:
    """Follows Services and EndpointSlices; a change costs what it changes, however many others there are."""

    def __init__(self, node_name: str, family: int) -> None:
        self.changed: set[PortName] = set()
        """The ports whose Service or endpoints are not what they were; whoever has dealt with them takes them out."""
        self._node_name = node_name
        self._family = family
        self._services: dict[PortName, ServicePort] = {}
        self._sorted = True
        self._endpoints: dict[PortName, tuple[Endpoint, ...]] = {}
        self._by_slice: defaultdict[PortName, dict[Key, list[Endpoint]]] = defaultdict(dict)

    def note_service(self, old: Object | None, new: Object | None) -> None:
        """A Service came (no ``old``), changed, or went (no ``new``)."""
        before = {port.name: port for port in service_ports(old, self._family)} if old else {}
        after = {port.name: port for port in service_ports(new, self._family)} if new else {}
        for name in before.keys() - after.keys():
            del self._services[name]
        self._sorted = self._sorted and after.keys() <= before.keys()
        self._services.update(after)
        self.changed.update(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))

    def note_slice(self, old: Object | None, new: Object | None) -> None:
        """An EndpointSlice came (no ``old``), changed, or went (no ``new``)."""
        before, after = self._read(old), self._read(new)
        for name in before.keys() | after.keys():
            if before.get(name) != after.get(name):
                self._merge(name, _key(new or old or {}), after.get(name))

    def state(self, node: NodeView) -> ProxyState:
        """How it is now, for a node of the tracker's name; it stays so."""
        if not self._sorted:
            self._services = dict(sorted(self._services.items(), key=lambda item: (str(item[0]), item[0].protocol)))
            self._sorted = True
        return ProxyState(self._family, node, dict(self._services), dict(self._endpoints))

    def _read(self, each: Object | None) -> dict[PortName, list[Endpoint]]:
        found: defaultdict[PortName, list[Endpoint]] = defaultdict(list)
        for name, endpoint in slice_endpoints(each, self._node_name, self._family) if each else ():
            found[name].append(endpoint)
        return found

    def _merge(self, name: PortName, key: Key, given: list[Endpoint] | None) -> None:
        """Sorted by their ``ip:port`` text; of two with the same one that does not terminate stays."""
        slices = self._by_slice[name]
        if given:
            slices[key] = given
        else:
            slices.pop(key, None)
        by_text: dict[str, Endpoint] = {}
        for each in sorted(slices):
            for endpoint in slices[each]:
                text = str(endpoint)
                if text not in by_text or not endpoint.terminating:
                    by_text[text] = endpoint
        if by_text:
            self._endpoints[name] = tuple(by_text[text] for text in sorted(by_text))
        else:
            self._endpoints.pop(name, None)
            del self._by_slice[name]
        self.changed.add(name)


def _key(obj: Object) -> Key:
    return obj["metadata"].get("namespace") or "", obj["metadata"]["name"]
