"""Conditions as objects carry them: with the generation that was judged and the time of the last change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kubelab.engine.client import Object
from kubelab.routing.gateway.conditions import Condition


class Judged(NamedTuple):
    """What a condition is about, and when it is written."""

    generation: int
    now: str


def conditions(wanted: Iterable[Condition], there: Iterable[Object], judged: Judged) -> list[Object]:
    """The list to be written. ``there`` gives the times of those whose status is the same."""
    since = {(each["type"], each["status"]): each["lastTransitionTime"] for each in there}
    return [_condition(each, since, judged) for each in wanted]


def _condition(wanted: Condition, since: dict[tuple[str, str], str], judged: Judged) -> Object:
    status = "True" if wanted.status else "False"
    return {
        "type": wanted.type,
        "status": status,
        "reason": wanted.reason,
        "message": wanted.message,
        "lastTransitionTime": since.get((wanted.type, status), judged.now),
        "observedGeneration": judged.generation,
    }
