"""Which listeners an HTTPRoute is served on, and what each of its parents says to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kubelab.routing.gateway.conditions import Condition, Fault, ParentStatus, resolved_refs
from kubelab.routing.gateway.hostnames import common
from kubelab.routing.gateway.listeners import ROUTE_KIND, JudgedListener
from kubelab.routing.gateway.references import GROUP
from kubelab.routing.gateway.rules import Rules
from kubelab.routing.gateway.selectors import selects
from kubelab.routing.objects import Object, namespace_of

Labels = Mapping[str, Mapping[str, str]]
"""Namespace → its labels."""


class Attachment(NamedTuple):
    """A route on a listener, and for which hosts (empty: all)."""

    listener: JudgedListener
    hosts: tuple[str, ...]


def refers_to(ref: Object, route: Object) -> tuple[str, str] | None:
    """Namespace and name of the Gateway that a ``parentRef`` names; None when it names something else."""
    if ref.get("group", GROUP) != GROUP or ref.get("kind", "Gateway") != "Gateway":
        return None
    return ref.get("namespace") or namespace_of(route), ref["name"]


def attach(
    http_route: Object, ref: Object, listeners: Iterable[JudgedListener], wanted: Rules, labels: Labels
) -> tuple[list[Attachment], ParentStatus]:
    """Let a route be served by a Gateway, given by its listeners, as far as both sides want it."""
    found = _attachments(http_route, ref, listeners, labels)
    if isinstance(found, Fault):
        accepted = Condition("Accepted", False, *found)
        return [], ParentStatus(ref, (accepted, resolved_refs(wanted.unresolved)))
    message = "; ".join(each.message for each in wanted.unsupported)
    if len(wanted.unsupported) == wanted.number:
        accepted = Condition("Accepted", False, "UnsupportedValue", message)
        return [], ParentStatus(ref, (accepted, resolved_refs(wanted.unresolved)))
    partly = (Condition("PartiallyInvalid", True, "UnsupportedValue", message),) if message else ()
    accepted = Condition("Accepted", True, "Accepted")
    return found, ParentStatus(ref, (accepted, resolved_refs(wanted.unresolved), *partly))


def _attachments(
    http_route: Object, ref: Object, listeners: Iterable[JudgedListener], labels: Labels
) -> list[Attachment] | Fault:
    named = [each for each in listeners if _is_named(ref, each)]
    if not named:
        return Fault("NoMatchingParent", "the Gateway has no such listener")
    open_ones = [each for each in named if _lets_in(each, http_route, labels)]
    if not open_ones:
        return Fault("NotAllowedByListeners", f"no listener lets in routes of namespace {namespace_of(http_route)}")
    hostnames = [each.lower() for each in http_route["spec"].get("hostnames") or ()] or [""]
    found = [Attachment(each, hosts) for each in open_ones if (hosts := _hosts(each, hostnames))]
    return found or Fault("NoMatchingListenerHostname", "no listener is for one of the route's hostnames")


def _is_named(ref: Object, listener: JudgedListener) -> bool:
    section, port = ref.get("sectionName") or listener.name, ref.get("port") or listener.port
    return section == listener.name and port == listener.port


def _lets_in(listener: JudgedListener, http_route: Object, labels: Labels) -> bool:
    here, there = namespace_of(http_route), listener.origin.object.namespace
    match listener.allowed.get("from") or "Same":
        case _ if ROUTE_KIND not in listener.kinds:
            return False
        case "All":
            return True
        case "Selector":
            return selects(listener.allowed.get("selector") or {}, labels.get(here) or {})
        case _:
            return here == there


def _hosts(listener: JudgedListener, hostnames: Iterable[str]) -> tuple[str, ...]:
    shared = (common(listener.hostname, each) for each in hostnames)
    return tuple(dict.fromkeys(each for each in shared if each is not None))
