"""Status conditions: the list of ``{type, status, reason, message}`` that most statuses have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kubelab.engine.client import Object
from kubelab.engine.controllers.clock import written


def find(conditions: Sequence[Object] | None, kind: str) -> Object | None:
    """The condition of a type, or None."""
    return next((condition for condition in conditions or () if condition["type"] == kind), None)


def without(conditions: Sequence[Object] | None, kind: str) -> list[Object]:
    """All but the condition of a type."""
    return [condition for condition in conditions or () if condition["type"] != kind]


def with_condition(
    conditions: Sequence[Object] | None, kind: str, status: str, reason: str, message: str, now: datetime
) -> list[Object]:
    """Set a condition: as it was when status and reason have not changed, otherwise new and last.

    ``lastTransitionTime`` moves only with the status.
    """
    known = find(conditions, kind)
    if known is not None and known["status"] == status and known.get("reason") == reason:
        return list(conditions or ())
    since = known["lastTransitionTime"] if known is not None and known["status"] == status else written(now)
    fresh = {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since}
    return [*without(conditions, kind), fresh]
