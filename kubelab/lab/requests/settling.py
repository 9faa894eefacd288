"""Whether what is answered is what the objects ask for: a changed Ingress is served a moment after it is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from kubelab.lab.api import Object
from kubelab.lab.entrance import GATEWAY
from kubelab.lab.errors import LabError
from kubelab.lab.requests.replies import Reply
from kubelab.lab.survey import everywhere
from kubelab.lab.waiting import Seen
from kubelab.routing.decide import Decision, Share, decide
from kubelab.routing.gateway.attachment import refers_to
from kubelab.routing.gateway.hostnames import common
from kubelab.routing.model import ObjectName, Table
from kubelab.routing.objects import name_of
from kubelab.routing.request import Request

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab

NOBODY = "nobody.invalid"
"""A host that no rule names (RFC 2606)."""
_SCHEMES = {"HTTP": "http", "HTTPS": "https"}
_OF_A_PROXY = (404, 500, 502, 503, 504)


def agrees(decision: Decision, reply: Reply, namespace: str) -> bool:
    """Whether the answer is one that the decision allows. A program that does not say who it is, is taken for right."""
    if decision.location:
        return reply.code == decision.status and _plain(reply.location) == decision.location
    return any(_is(share, reply, namespace) for share in decision.shares)


def _plain(location: str) -> str:
    """Without a port that goes without saying."""
    return re.sub(r"^(http(?=://[^/]*:80(?!\d))|https(?=://[^/]*:443(?!\d)))(://[^/:]*):\d+", r"\1\2", location)


def _is(share: Share, reply: Reply, namespace: str) -> bool:
    if share.status is not None:
        return reply.code == share.status and not reply.pod
    if reply.pod:
        return share.words(namespace) in reply.services
    return reply.code is not None and reply.code not in _OF_A_PROXY


def answers(lab: Lab, obj: Object) -> Seen:
    """Whether an Ingress or HTTPRoute has an address and each of its paths is answered as the objects ask for.

    Of a Gateway: each of its listeners.
    """
    ways = list(_ways(lab, obj))
    if not ways:
        return Seen(False, "it has no address: no controller has taken it up")
    table = lab.routing()
    for way in ways:
        seen = _way_answers(lab, way, table)
        if not seen.holds:
            return seen
    return Seen(True, "every path is answered")


class _Way(NamedTuple):
    """An address, and what to ask for there."""

    urls: tuple[str, ...]
    via: str = ""
    address: str = ""
    owner: ObjectName | None = None


def _ways(lab: Lab, obj: Object) -> Iterator[_Way]:
    match obj["kind"]:
        case "Gateway":
            yield from _gateway_way(obj, lambda listener: _names(listener, [""]), ["/"])
        case "HTTPRoute":
            yield from _route_ways(lab, obj)
        case "Ingress":
            yield from _ingress_ways(obj)
        case kind:
            raise LabError(f"A {kind} does not answer requests; Services, Ingresses, Gateways and HTTPRoutes do.")


def _way_answers(lab: Lab, way: _Way, table: Table) -> Seen:
    try:
        replies = lab.requests(*way.urls, via=way.via, address=way.address, verify=False, timeout=1)
        decisions = [decide(table, Request.of(url, owner=way.owner)) for url in way.urls]
    except (LabError, LookupError) as error:
        return Seen(False, str(error).rstrip("."))
    for url, reply, decision in zip(way.urls, replies, decisions, strict=True):
        if not agrees(decision, reply, lab.namespace):
            return Seen(False, f"{url} is answered by {reply.words}, not by {decision.words(lab.namespace)}")
    return Seen(True, "every path is answered")


def _ingress_ways(ingress: Object) -> Iterator[_Way]:
    """By plain HTTP."""
    balancer = (ingress.get("status") or {}).get("loadBalancer") or {}
    if balancer.get("ingress"):
        yield _Way(tuple(dict.fromkeys(_urls(ingress))), via=f"ingress/{ingress['metadata']['name']}")


def _urls(ingress: Object) -> Iterator[str]:
    spec = ingress["spec"]
    for rule in spec.get("rules") or ():
        host = (rule.get("host") or NOBODY).replace("*", "any")
        for path in (rule.get("http") or {}).get("paths") or ():
            yield f"http://{host}{path.get('path') or '/'}"
    if spec.get("defaultBackend") and not spec.get("rules"):
        yield f"http://{NOBODY}/"


def _route_ways(lab: Lab, route: Object) -> Iterator[_Way]:
    """At each of its Gateways. What its rules ask for besides paths is not asked for."""
    gateways = {(each["metadata"]["namespace"], each["metadata"]["name"]): each for each in everywhere(lab, GATEWAY)}
    hostnames = route["spec"].get("hostnames") or [""]
    rules = route["spec"].get("rules") or [{}]
    paths = [(match.get("path") or {}).get("value") or "/" for rule in rules for match in rule.get("matches") or [{}]]
    for ref in route["spec"].get("parentRefs") or ():
        if gateway := gateways.get(refers_to(ref, route) or ("", "")):
            yield from _gateway_way(gateway, partial(_names_by, ref, hostnames), paths)


def _gateway_way(gateway: Object, names: Callable[[Object], Iterable[str]], paths: Iterable[str]) -> Iterator[_Way]:
    """The hosts of each listener, with each path."""
    addresses = (gateway.get("status") or {}).get("addresses")
    urls = [
        f"{_SCHEMES[listener['protocol']]}://{name}:{listener['port']}{path}"
        for listener in gateway["spec"]["listeners"]
        if listener["protocol"] in _SCHEMES
        for name in names(listener)
        for path in paths
    ]
    if addresses and urls:
        yield _Way(tuple(dict.fromkeys(urls)), address=addresses[0]["value"], owner=name_of("Gateway", gateway))


def _names_by(ref: Object, hostnames: Iterable[str], listener: Object) -> Iterable[str]:
    named = ref.get("sectionName") in (None, listener["name"]) and ref.get("port") in (None, listener["port"])
    return _names(listener, hostnames) if named else ()


def _names(listener: Object, hostnames: Iterable[str]) -> Iterable[str]:
    shared = (common(listener.get("hostname") or "", each) for each in hostnames)
    return [each.replace("*", "any") or NOBODY for each in shared if each is not None]
