"""The Gateway API beside Ingress: the same pod and the same Envoys, with an address for each Gateway.

A Gateway's listeners are ports of the pod of their own (`ports`), to which a Service of type LoadBalancer leads
(`services`); the objects (`kinds`) are told how they do in their status (`statuses`, `reports`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from kubelab.engine.client import Client, Informer, Object, key_of, now
from kubelab.engine.ingress.gateway.kinds import Kinds
from kubelab.engine.ingress.gateway.ports import GatewayPort, Ports
from kubelab.engine.ingress.gateway.reports import Reports, Word
from kubelab.engine.ingress.gateway.services import IP_ADDRESS, Services, service, written_ports
from kubelab.engine.ingress.gateway.statuses import Place, class_status, gateway_status, route_status, unclaimed_status
from kubelab.routing.gateway import Gateways
from kubelab.routing.gateway.listeners import PROTOCOLS
from kubelab.routing.model import Entrance, ObjectName
from kubelab.routing.objects import Objects, name_of

__all__ = ["GatewayApi"]


class GatewayApi:
    """Run it with ``await run()``, which ends by cancellation only."""

    def __init__(
        self, client: Client, services: Informer, changed: Callable[[Object | None, Object | None], None]
    ) -> None:
        """``services``: the informer of all Services; ``changed`` is told of every change of the kinds."""
        self.kinds = Kinds(client, changed)
        self._services = Services(client, services)
        self._reports = Reports(client, self.kinds)
        self._ports = Ports()
        self._given: Mapping[GatewayPort, int] = {}
        self._told: set[ObjectName] = set()
        """The Gateways that were ours once."""

    async def run(self) -> None:
        """Follow the kinds, keep the Services, write the status."""
        async with asyncio.TaskGroup() as group:
            for each in (self.kinds, self._services, self._reports):
                group.create_task(each.run())

    def open(self, objects: Objects, wanted: Gateways) -> None:
        """Give every Gateway ports of the pod and have its Service made."""
        ours = _ours(objects, wanted)
        served = [each.name for each in wanted.gateways if each.listeners]
        asked = [(name, port) for name in served for port in _ports(ours[name])]
        self._given = self._ports.give(asked, written_ports(self._services.known()))
        if self.kinds.known:
            self._services.want(
                service(gateway, ports) for name, gateway in ours.items() if (ports := self._ports_of(name, gateway))
            )

    def port_of(self, entrance: Entrance) -> int | None:
        """The pod's port for a Gateway's entrance, after `open`; None when there was none left."""
        return self._given.get((entrance.owner, entrance.port)) if entrance.owner else None

    def tell(self, objects: Objects, wanted: Gateways, taken_in: bool) -> None:
        """The proxy serves this (or has refused it, when it is not ``taken_in``)."""
        if self.kinds.known:
            self._reports.update(dict(self._words(objects, wanted, taken_in)))

    def _words(self, objects: Objects, wanted: Gateways, taken_in: bool) -> Iterable[tuple[ObjectName, Word]]:
        time, versions, classes = now(), self.kinds.versions(), set(wanted.classes)
        for each in objects.gateway_classes:
            if (name := name_of("GatewayClass", each)) in classes:
                yield name, _word(each, partial(class_status, versions=versions, now=time))
        ours = _ours(objects, wanted)
        for gateway in wanted.gateways:
            place = self._place(gateway.name, ours[gateway.name], taken_in)
            yield (
                gateway.name,
                _word(ours[gateway.name], partial(gateway_status, status=gateway, place=place, now=time)),
            )
        self._told = (self._told | ours.keys()) & {name_of("Gateway", each) for each in objects.gateways}
        for each in objects.gateways:
            if (name := name_of("Gateway", each)) in self._told - ours.keys():
                yield name, _word(each, lambda _: unclaimed_status())
        routes = {each.name: each for each in wanted.routes}
        for each in objects.http_routes:
            name = name_of("HTTPRoute", each)
            yield name, _word(each, partial(route_status, status=routes.get(name), now=time))

    def _place(self, name: ObjectName, gateway: Object, taken_in: bool) -> Place:
        there = self._services.of(name)
        if there is None:
            return Place()
        given = ((there.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
        kinds = {IP_ADDRESS: "ip", "Hostname": "hostname"}
        addresses = [(kind, each[key]) for each in given for kind, key in kinds.items() if each.get(key)]
        written = {port: number for (_, port), number in written_ports([there]).items()}
        is_open = written == self._ports_of(name, gateway) and (taken_in or _is_programmed(gateway))
        return Place(f"Service {'/'.join(key_of(there))}", tuple(addresses), is_open)

    def _ports_of(self, name: ObjectName, gateway: Object) -> dict[int, int]:
        """The Gateway's ports → the pod's."""
        return {port: self._given[name, port] for port in _ports(gateway) if (name, port) in self._given}


def _word(obj: Object, status: Callable[[Object], Object]) -> Word:
    return Word(obj["metadata"].get("generation", 0), status)


def _ours(objects: Objects, wanted: Gateways) -> dict[ObjectName, Object]:
    named = {name_of("Gateway", each): each for each in objects.gateways}
    return {each.name: named[each.name] for each in wanted.gateways}


def _ports(gateway: Object) -> list[int]:
    """The ports of its listeners with protocols that are served."""
    return sorted({each["port"] for each in gateway["spec"]["listeners"] if each["protocol"] in PROTOCOLS})


def _is_programmed(gateway: Object) -> bool:
    """Whether this very generation is served already."""
    return any(
        each["type"] == "Programmed"
        and each["status"] == "True"
        and each.get("observedGeneration") == gateway["metadata"].get("generation", 0)
        for each in (gateway.get("status") or {}).get("conditions") or ()
    )
