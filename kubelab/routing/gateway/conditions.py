"""What the Gateway API's objects are told of themselves, as data (https://gateway-api.sigs.k8s.io, v1.6).

An Ingress has an address or none, and that is all it can say. A Gateway, each of its listeners and each parent of an
HTTPRoute have conditions with a reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kubelab.routing.model import ObjectName
from kubelab.routing.objects import Object


class Condition(NamedTuple):
    """A condition before it gets its times and generation."""

    type: str
    status: bool
    reason: str
    message: str = ""


class ListenerStatus(NamedTuple):
    name: str
    attached_routes: int
    supported_kinds: tuple[str, ...]
    conditions: tuple[Condition, ...]


class GatewayStatus(NamedTuple):
    """Without ``Programmed``: that needs an address, which is not a matter of routing."""

    name: ObjectName
    accepted: Condition
    listeners: tuple[ListenerStatus, ...]
    """None for a Gateway whose class is refused."""


class ParentStatus(NamedTuple):
    """How an HTTPRoute does at one of its ``parentRefs``, given as it was written."""

    ref: Object
    conditions: tuple[Condition, ...]


class RouteStatus(NamedTuple):
    name: ObjectName
    parents: tuple[ParentStatus, ...]


class Fault(NamedTuple):
    """What is wrong: the reason of a condition and its message."""

    reason: str
    message: str


def resolved_refs(faults: Iterable[Fault]) -> Condition:
    """``ResolvedRefs``: the first fault gives the reason, all give the message."""
    found = list(dict.fromkeys(faults))
    if not found:
        return Condition("ResolvedRefs", True, "ResolvedRefs")
    return Condition("ResolvedRefs", False, found[0].reason, "; ".join(each.message for each in found))
