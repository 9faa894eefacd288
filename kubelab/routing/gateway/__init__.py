"""Gateways and HTTPRoutes as a routing table (gateway.networking.k8s.io/v1, as of v1.6).

*Listeners first.* A request is given to the listener of its port whose hostname fits best, and to no other. In it the
rules for the whole host name come first, then those for shorter and shorter wildcards, then those for all hosts; the
first rule that matches is taken (`kubelab.routing.gateway.rules` has the order within a host). ``*.`` stands for one
or more labels. No match is 404, a reference that leads nowhere 500, a Service without ready endpoints 503.

*What is not served*: protocols other than HTTP and HTTPS, route kinds other than HTTPRoute, filters other than header
modification, redirect and rewrite, references to anything but Services. The conditions say so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from kubelab.routing import hosts
from kubelab.routing.gateway.attachment import attach, refers_to
from kubelab.routing.gateway.conditions import Condition, GatewayStatus, ListenerStatus, ParentStatus, RouteStatus
from kubelab.routing.gateway.hostnames import covers
from kubelab.routing.gateway.listeners import JudgedListener, Usable, Verdict, judge
from kubelab.routing.gateway.references import Grants
from kubelab.routing.gateway.rules import RankedRoute, rules
from kubelab.routing.model import Entrance, Listener, ObjectName, Origin, Table, VirtualHost
from kubelab.routing.objects import Object, Objects, age, name_of, namespace_of
from kubelab.routing.upstreams import Services

CONTROLLER = "kubelab.dev/gateway-controller"


class Gateways(NamedTuple):
    """The table, and what the objects are to be told."""

    table: Table
    classes: tuple[ObjectName, ...]
    gateways: tuple[GatewayStatus, ...]
    routes: tuple[RouteStatus, ...]


class _Attached:
    """What is served on one listener."""

    def __init__(self) -> None:
        self.routes: set[ObjectName] = set()
        self.by_host: defaultdict[str, dict[Origin, RankedRoute]] = defaultdict(dict)

    def virtual_hosts(self) -> tuple[VirtualHost, ...]:
        """Each host with its own rules first, and behind them those of the wider hosts that cover it."""
        names = sorted(self.by_host, key=hosts.precedence)
        ordered = {name: [each.route for each in sorted(self.by_host[name].values(), key=_rank)] for name in names}
        return tuple(
            VirtualHost(
                name, tuple(route for wide in names if covers(wide, name) for route in ordered[wide]), "any labels"
            )
            for name in names
        )


def gateways(objects: Objects, controller: str = CONTROLLER, usable: Usable = lambda secret: Verdict()) -> Gateways:
    """What the Gateways of a controller's classes, and the HTTPRoutes that refer to them, ask for.

    ``usable`` says whether a Secret's certificate can be served; who reads certificates knows.
    """
    classes = [each for each in objects.gateway_classes if each["spec"]["controllerName"] == controller]
    names = {each["metadata"]["name"] for each in classes}
    ours = sorted((each for each in objects.gateways if each["spec"]["gatewayClassName"] in names), key=age)
    refused = {each["metadata"]["name"] for each in classes if each["spec"].get("parametersRef")}
    secrets = {(namespace_of(each), each["metadata"]["name"]): each for each in objects.secrets}
    grants = Grants(objects.reference_grants)
    good = [each for each in ours if each["spec"]["gatewayClassName"] not in refused]
    listeners = {_key(each): judge(each, secrets, grants, usable) for each in good}
    attached: dict[Origin, _Attached] = {each.origin: _Attached() for its in listeners.values() for each in its}
    services = Services(objects.services, objects.endpoint_slices)
    routes = tuple(_attach_all(objects, listeners, attached, services, grants))
    return Gateways(
        table=Table(
            entrances=tuple(entrance for gateway in good for entrance in _entrances(gateway, listeners, attached)),
            upstreams=services.upstreams,
            served=(*(name_of("Gateway", each) for each in good), *(each.name for each in routes)),
        ),
        classes=tuple(sorted(name_of("GatewayClass", each) for each in classes)),
        gateways=tuple(
            _status(each, listeners[_key(each)], attached) if _key(each) in listeners else _refused(each)
            for each in ours
        ),
        routes=routes,
    )


def _attach_all(
    objects: Objects,
    listeners: dict[tuple[str, str], tuple[JudgedListener, ...]],
    attached: dict[Origin, _Attached],
    services: Services,
    grants: Grants,
) -> Iterable[RouteStatus]:
    labels = {each["metadata"]["name"]: each["metadata"].get("labels") or {} for each in objects.namespaces}
    for http_route in sorted(objects.http_routes, key=age):
        refs = [
            (ref, listeners[parent])
            for ref in http_route["spec"].get("parentRefs") or ()
            if (parent := refers_to(ref, http_route)) in listeners
        ]
        if not refs:
            continue
        name, wanted = name_of("HTTPRoute", http_route), rules(http_route, services, grants)
        parents: list[ParentStatus] = []
        for ref, its in refs:
            found, status = attach(http_route, ref, its, wanted, labels)
            parents.append(status)
            for listener, names in found:
                place = attached[listener.origin]
                place.routes.add(name)
                for host in names:  # two parentRefs may lead to one listener
                    place.by_host[host].update((each.route.origin, each) for each in wanted.routes)
        yield RouteStatus(name, tuple(parents))


def _entrances(
    gateway: Object, listeners: dict[tuple[str, str], tuple[JudgedListener, ...]], attached: dict[Origin, _Attached]
) -> Iterable[Entrance]:
    by_port: defaultdict[int, list[JudgedListener]] = defaultdict(list)
    for each in listeners[_key(gateway)]:
        if each.served:
            by_port[each.port].append(each)
    for port, its in sorted(by_port.items()):
        ordered = sorted(its, key=lambda each: hosts.precedence(each.hostname))
        yield Entrance(
            port, its[0].tls, tuple(_listener(each, attached) for each in ordered), name_of("Gateway", gateway)
        )


def _listener(listener: JudgedListener, attached: dict[Origin, _Attached]) -> Listener:
    here = attached[listener.origin].virtual_hosts()
    return Listener(listener.hostname, here, listener.certificates, listener.origin)


def _status(
    gateway: Object, listeners: tuple[JudgedListener, ...], attached: dict[Origin, _Attached]
) -> GatewayStatus:  # fmt: skip
    wrong = [each.name for each in listeners if not each.accepted]
    message = f"not valid: {', '.join(wrong)}" if wrong else ""
    accepted = Condition("Accepted", len(wrong) < len(listeners), "ListenersNotValid" if wrong else "Accepted", message)
    return GatewayStatus(
        name_of("Gateway", gateway),
        accepted,
        tuple(
            ListenerStatus(each.name, len(attached[each.origin].routes), each.kinds, each.conditions())
            for each in listeners
        ),
    )


def _refused(gateway: Object) -> GatewayStatus:
    """Of a class with parameters: nothing of it is served, as with an IngressClass."""
    message = f"GatewayClass {gateway['spec']['gatewayClassName']} has parametersRef, and no parameters are known here"
    return GatewayStatus(name_of("Gateway", gateway), Condition("Accepted", False, "InvalidParameters", message), ())


def _key(gateway: Object) -> tuple[str, str]:
    return namespace_of(gateway), gateway["metadata"]["name"]


def _rank(each: RankedRoute) -> tuple[object, ...]:
    return each.rank
