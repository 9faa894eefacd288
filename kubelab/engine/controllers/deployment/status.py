"""The status of a Deployment: counts, and the conditions that `kubectl rollout status` waits for.

https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from kubelab.engine.client import Object
from kubelab.engine.controllers.clock import parse, written
from kubelab.engine.controllers.conditions import find, with_condition, without
from kubelab.engine.controllers.deployment.rolling import counted, limits, wanted

NO_DEADLINE = 2**31 - 1


def status_of(
    deployment: Object, new: Object | None, olds: Sequence[Object], now: datetime, *, rollout: bool
) -> Object:
    """The status that the Deployment should have.

    ``rollout`` is false while it is only being scaled or is paused; then nothing is said about progress.
    """
    everyone = [*olds, *([new] if new else [])]
    status = _counts(deployment, new, everyone)
    known = (deployment.get("status") or {}).get("conditions") or []
    conditions = _with_availability(deployment, status, known, now)
    if rollout:
        status["conditions"] = conditions
        conditions = _with_progress(deployment, new, status, now)
        conditions = _with_failure(conditions, new, olds)
    status["conditions"] = conditions
    return status


def _counts(deployment: Object, new: Object | None, everyone: Sequence[Object]) -> Object:
    total = sum(counted(each, "replicas") for each in everyone)
    available = sum(counted(each, "availableReplicas") for each in everyone)
    counts = {
        "replicas": total,
        "updatedReplicas": counted(new, "replicas") if new else 0,
        "readyReplicas": sum(counted(each, "readyReplicas") for each in everyone),
        "availableReplicas": available,
        "unavailableReplicas": max(0, total - available),
    }
    status: Object = {"observedGeneration": deployment["metadata"].get("generation", 0)}
    status |= {name: count for name, count in counts.items() if count}
    status["terminatingReplicas"] = sum(counted(each, "terminatingReplicas") for each in everyone)
    collisions = (deployment.get("status") or {}).get("collisionCount")
    if collisions is not None:
        status["collisionCount"] = collisions
    return status


def _with_availability(deployment: Object, status: Object, conditions: Sequence[Object], now: datetime) -> list[Object]:
    if counted({"status": status}, "availableReplicas") >= wanted(deployment) - limits(deployment)[1]:
        said = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        said = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    return _said(conditions, "Available", *said, now)


def _with_progress(deployment: Object, new: Object | None, status: Object, now: datetime) -> list[Object]:
    conditions: list[Object] = status["conditions"]
    if not has_deadline(deployment):
        return without(conditions, "Progressing")
    known = find((deployment.get("status") or {}).get("conditions"), "Progressing")
    settled = known is not None and known.get("reason") == "NewReplicaSetAvailable"
    if settled and status.get("replicas", 0) == status.get("updatedReplicas", 0):
        return conditions
    who = f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{deployment["metadata"]["name"]}"'
    if is_complete(deployment, status):
        message = f"{who} has successfully progressed."
        return _said(conditions, "Progressing", "True", "NewReplicaSetAvailable", message, now)
    if _has_progressed(deployment, status):
        return _with_news(conditions, f"{who} is progressing.", now)
    if has_timed_out(deployment, now):
        message = f"{who} has timed out progressing."
        return _said(conditions, "Progressing", "False", "ProgressDeadlineExceeded", message, now)
    return conditions


def _with_news(conditions: Sequence[Object], message: str, now: datetime) -> list[Object]:
    """Unlike the others, this condition is renewed even if only its time has changed: the deadline runs from it."""
    fresh = _said(without(conditions, "Progressing"), "Progressing", "True", "ReplicaSetUpdated", message, now)
    known = find(conditions, "Progressing")
    if known is not None and known["status"] == "True":
        fresh[-1]["lastTransitionTime"] = known["lastTransitionTime"]
    return fresh


def _with_failure(conditions: Sequence[Object], new: Object | None, olds: Sequence[Object]) -> list[Object]:
    for replicaset in (*([new] if new else []), *olds):
        failure = find((replicaset.get("status") or {}).get("conditions"), "ReplicaFailure")
        if failure is not None:
            same = find(conditions, "ReplicaFailure")
            if same is not None and same.get("reason") == failure.get("reason"):
                return list(conditions)
            copied = {**failure, "lastUpdateTime": failure["lastTransitionTime"]}
            return [*without(conditions, "ReplicaFailure"), copied]
    return without(conditions, "ReplicaFailure")


def with_progressing(deployment: Object, status: str, reason: str, message: str, now: datetime) -> Object:
    """The Deployment's status with only the condition ``Progressing`` set."""
    known = deployment.get("status") or {}
    return {**known, "conditions": _said(known.get("conditions") or [], "Progressing", status, reason, message, now)}


def has_deadline(deployment: Object) -> bool:
    """Whether lack of progress is ever reported; the largest number that the field holds means never."""
    deadline = deployment["spec"].get("progressDeadlineSeconds", 600)
    return deadline is not None and deadline != NO_DEADLINE


def is_complete(deployment: Object, status: Object) -> bool:
    """Whether all replicas are of the new template and available, and none of an old one is left."""
    desired = wanted(deployment)
    counts = (status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas"))
    observed = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    return observed and all(count == desired for count in counts)


def _has_progressed(deployment: Object, status: Object) -> bool:
    before = deployment.get("status") or {}

    def grew(name: str) -> bool:
        return bool(status.get(name, 0) > before.get(name, 0))

    def old_ones(of: Object) -> int:
        return int(of.get("replicas", 0) - of.get("updatedReplicas", 0))

    return any(map(grew, ("updatedReplicas", "readyReplicas", "availableReplicas"))) or old_ones(status) < old_ones(
        before
    )


def _deadline(deployment: Object) -> datetime | None:
    condition = find((deployment.get("status") or {}).get("conditions"), "Progressing")
    if condition is None or not has_deadline(deployment) or condition.get("reason") == "NewReplicaSetAvailable":
        return None
    seconds = deployment["spec"].get("progressDeadlineSeconds", 600)
    return parse(condition["lastUpdateTime"]) + timedelta(seconds=seconds)


def has_timed_out(deployment: Object, now: datetime) -> bool:
    """Whether nothing has moved for ``progressDeadlineSeconds``; once said it stays so until something moves."""
    condition = find((deployment.get("status") or {}).get("conditions"), "Progressing")
    if condition is not None and condition.get("reason") == "ProgressDeadlineExceeded":
        return True
    deadline = _deadline(deployment)
    return deadline is not None and deadline < now


def seconds_until_timeout(deployment: Object, now: datetime) -> float | None:
    """When to look whether the rollout is stuck; None when it is done, has no deadline or is known to be stuck."""
    condition = find((deployment.get("status") or {}).get("conditions"), "Progressing")
    deadline = _deadline(deployment)
    if deadline is None or condition is None or condition.get("reason") == "ProgressDeadlineExceeded":
        return None
    if is_complete(deployment, deployment.get("status") or {}):
        return None
    return max(0.0, (deadline - now).total_seconds()) + 1


def _said(
    conditions: Sequence[Object], kind: str, status: str, reason: str, message: str, now: datetime
) -> list[Object]:
    """Like `with_condition`; a Deployment's conditions have a ``lastUpdateTime`` besides."""
    fresh = with_condition(conditions, kind, status, reason, message, now)
    return [each if each.get("lastUpdateTime") else _touched(each, now) for each in fresh]


def _touched(condition: Object, now: datetime) -> Object:
    return {**condition, "lastUpdateTime": written(now)}
