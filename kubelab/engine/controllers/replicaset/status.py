"""The status of a ReplicaSet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kubelab.engine.client import Object
from kubelab.engine.controllers.conditions import find, with_condition, without
from kubelab.engine.controllers.labels import labels_of
from kubelab.engine.controllers.owners import is_being_deleted
from kubelab.engine.controllers.pods import is_active, is_available, is_finished, is_ready, seconds_until_available


def status_of(
    replicaset: Object, pods: Sequence[Object], now: datetime, failure: tuple[str, str] | None = None
) -> Object:
    """The status that the ReplicaSet should have. ``pods`` are all that it owns.

    ``failure`` is the reason and message of the last create or delete that was refused.
    """
    template_labels = (replicaset["spec"].get("template") or {}).get("metadata", {}).get("labels") or {}
    min_ready = replicaset["spec"].get("minReadySeconds", 0)
    active = [pod for pod in pods if is_active(pod)]
    counts = {
        "fullyLabeledReplicas": sum(template_labels.items() <= labels_of(pod).items() for pod in active),
        "readyReplicas": sum(is_ready(pod) for pod in active),
        "availableReplicas": sum(is_available(pod, min_ready, now) for pod in active),
    }
    status: Object = {"replicas": len(active)}
    status |= {name: count for name, count in counts.items() if count}
    status["terminatingReplicas"] = sum(is_being_deleted(pod) and not is_finished(pod) for pod in pods)
    status["observedGeneration"] = replicaset["metadata"].get("generation", 0)
    known = (replicaset.get("status") or {}).get("conditions")
    if failure is None:
        conditions = without(known, "ReplicaFailure")
    elif find(known, "ReplicaFailure"):
        conditions = list(known or ())
    else:
        conditions = with_condition(known, "ReplicaFailure", "True", *failure, now)
    if conditions:
        status["conditions"] = conditions
    return status


def seconds_until_more_available(replicaset: Object, pods: Sequence[Object], now: datetime) -> float | None:
    """When to look again because a ready pod will have become available by then; None when there is none."""
    min_ready = replicaset["spec"].get("minReadySeconds", 0)
    waits = [seconds_until_available(pod, min_ready, now) for pod in pods if is_active(pod)]
    return min((wait for wait in waits if wait), default=None)
