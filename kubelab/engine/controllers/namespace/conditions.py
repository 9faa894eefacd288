"""What stands between a namespace and its end, as conditions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from kubelab.engine.client import Object, Resource
from kubelab.engine.controllers.clock import written
from kubelab.engine.controllers.conditions import find

FINE = (
    ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
    ("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
    (
        "NamespaceDeletionContentFailure",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    ("NamespaceContentRemaining", "ContentRemoved", "All content successfully removed"),
    ("NamespaceFinalizersRemaining", "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
)


def conditions_of(
    known: Sequence[Object] | None, remaining: Mapping[Resource, Sequence[Object]], now: datetime
) -> list[Object]:
    """The five conditions of a namespace that is being deleted; ``remaining`` are the objects still in it."""
    troubles = {}
    if remaining:
        counts = ", ".join(
            f"{_dotted(each)} has {len(objects)} resource instances" for each, objects in _sorted(remaining)
        )
        message = f"Some resources are remaining: {counts}"
        troubles["NamespaceContentRemaining"] = ("SomeResourcesRemain", message)
    finalizers = Counter(
        name for objects in remaining.values() for each in objects for name in each["metadata"].get("finalizers") or ()
    )
    if finalizers:
        counts = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(finalizers.items()))
        message = f"Some content in the namespace has finalizers remaining: {counts}"
        troubles["NamespaceFinalizersRemaining"] = ("SomeFinalizersRemain", message)
    return [
        _condition(known, kind, "True", *troubles[kind], now) if kind in troubles
        else _condition(known, kind, "False", reason, message, now)
        for kind, reason, message in FINE
    ]  # fmt: skip


def _condition(
    known: Sequence[Object] | None, kind: str, status: str, reason: str, message: str, now: datetime
) -> Object:
    before = find(known, kind)
    since = before["lastTransitionTime"] if before is not None and before["status"] == status else written(now)
    return {"type": kind, "status": status, "lastTransitionTime": since, "reason": reason, "message": message}


def _sorted(remaining: Mapping[Resource, Sequence[Object]]) -> list[tuple[Resource, Sequence[Object]]]:
    return sorted(remaining.items(), key=lambda pair: _dotted(pair[0]))


def _dotted(resource: Resource) -> str:
    return f"{resource.plural}.{resource.group}"
