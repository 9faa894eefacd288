"""What the status of a PodDisruptionBudget should say.

https://kubernetes.io/docs/tasks/run-application/configure-pdb/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from kubelab.engine.client import Object
from kubelab.engine.controllers.clock import parse, written
from kubelab.engine.controllers.conditions import find, without
from kubelab.engine.controllers.owners import is_being_deleted
from kubelab.engine.controllers.pods import is_ready
from kubelab.engine.controllers.portions import in_pods

EVICTION_SECONDS = 120
"""How long an eviction that was granted counts, though the pod is not seen to go."""


class Need(NamedTuple):
    """How many pods are meant to be there, and how many of them have to be healthy."""

    expected: int
    desired: int


def needs_scale(budget: Object) -> bool:
    """Whether the pods' controllers are asked how many there should be: for all but a plain ``minAvailable``."""
    return budget["spec"].get("maxUnavailable") is not None or isinstance(budget["spec"].get("minAvailable"), str)


def need_of(budget: Object, pods: int, scale: int) -> Need:
    """The need, for so many ``pods`` and the ``scale`` of their controllers; percentages are rounded up."""
    spec = budget["spec"]
    if spec.get("maxUnavailable") is not None:
        return Need(scale, max(0, scale - in_pods(spec["maxUnavailable"], scale, round_up=True)))
    minimum = spec.get("minAvailable", 1)
    if isinstance(minimum, str):
        return Need(scale, in_pods(minimum, scale, round_up=True))
    return Need(pods, minimum)


def still_disrupted(budget: Object, pods: Sequence[Object], now: datetime) -> tuple[dict[str, str], list[Object]]:
    """Of the evictions granted those still awaited (pod → time), and the pods that should have gone and have not."""
    waiting, late = {}, []
    granted: Mapping[str, str] = (budget.get("status") or {}).get("disruptedPods") or {}
    for pod in pods:
        time = granted.get(pod["metadata"]["name"])
        if time is None or is_being_deleted(pod):
            continue
        if now < parse(time) + timedelta(seconds=EVICTION_SECONDS):
            waiting[pod["metadata"]["name"]] = time
        else:
            late.append(pod)
    return waiting, late


def status_of(budget: Object, pods: Sequence[Object], need: Need, now: datetime) -> Object:
    """The status. A pod that is about to go is not counted as healthy any more."""
    waiting, _ = still_disrupted(budget, pods, now)
    healthy = sum(
        is_ready(pod) and not is_being_deleted(pod) and pod["metadata"]["name"] not in waiting for pod in pods
    )
    allowed = max(0, healthy - need.desired) if need.expected > 0 else 0
    said = ("True", "SufficientPods", "") if allowed else ("False", "InsufficientPods", "")
    return {
        **({"disruptedPods": waiting} if waiting else {}),
        "conditions": _conditions(budget, *said, now),
        "currentHealthy": healthy,
        "desiredHealthy": need.desired,
        "disruptionsAllowed": allowed,
        "expectedPods": need.expected,
        "observedGeneration": budget["metadata"].get("generation", 0),
    }


def failed_status(budget: Object, why: str, now: datetime) -> Object:
    """When nobody can say how many pods there should be, none may be evicted."""
    conditions = _conditions(budget, "False", "SyncFailed", why, now)
    known = dict.fromkeys(("currentHealthy", "desiredHealthy", "expectedPods"), 0) | (budget.get("status") or {})
    return {**known, "conditions": conditions, "disruptionsAllowed": 0}


def _conditions(budget: Object, status: str, reason: str, message: str, now: datetime) -> list[Object]:
    known = (budget.get("status") or {}).get("conditions") or []
    before = find(known, "DisruptionAllowed")
    since = before["lastTransitionTime"] if before and before["status"] == status else written(now)
    fresh = {
        "type": "DisruptionAllowed",
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": since,
        "observedGeneration": budget["metadata"].get("generation", 0),
    }
    return [*without(known, "DisruptionAllowed"), fresh]
