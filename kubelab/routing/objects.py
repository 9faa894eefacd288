"""What a table is made from: objects as the API serves them, and whose word counts when two contradict each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from kubelab.routing.model import ObjectName, Origin, Problem

Object = dict[str, Any]


class Objects(NamedTuple):
    """The objects of all namespaces, in any order. Of a Secret its name, its type and the keys of its data are read."""

    ingresses: Sequence[Object] = ()
    ingress_classes: Sequence[Object] = ()
    services: Sequence[Object] = ()
    endpoint_slices: Sequence[Object] = ()
    secrets: Sequence[Object] = ()
    namespaces: Sequence[Object] = ()
    gateway_classes: Sequence[Object] = ()
    gateways: Sequence[Object] = ()
    http_routes: Sequence[Object] = ()
    reference_grants: Sequence[Object] = ()


def namespace_of(obj: Object) -> str:
    """Empty for objects of the cluster as a whole."""
    return obj["metadata"].get("namespace") or ""


def name_of(kind: str, obj: Object) -> ObjectName:
    """Lists of the API leave the kind of their items out, so it is told here."""
    return ObjectName(kind, namespace_of(obj), obj["metadata"]["name"])


def age(obj: Object) -> tuple[str, str, str]:
    """A sort key: the oldest first, of those of the same second the first by namespace and name."""
    return obj["metadata"].get("creationTimestamp") or "", namespace_of(obj), obj["metadata"]["name"]


def problem(owner: ObjectName, field: str, reason: str, message: str) -> Problem:
    """A `Problem` at a field of an object."""
    return Problem(Origin(owner, field), reason, message)
