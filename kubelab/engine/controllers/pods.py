"""What a pod's status says, as every controller reads it."""

from __future__ import annotations

from datetime import datetime, timedelta

from kubelab.engine.client import Object
from kubelab.engine.controllers.clock import parse
from kubelab.engine.controllers.conditions import find
from kubelab.engine.controllers.owners import is_being_deleted


def phase(pod: Object) -> str:
    """Pending, Running, Succeeded, Failed or Unknown; empty before anybody has said."""
    return (pod.get("status") or {}).get("phase", "")


def is_finished(pod: Object) -> bool:
    """Whether all its containers have ended for good."""
    return phase(pod) in ("Succeeded", "Failed")


def is_active(pod: Object) -> bool:
    """Whether it counts as a replica: neither finished nor being deleted."""
    return not is_finished(pod) and not is_being_deleted(pod)


def ready_condition(pod: Object) -> Object | None:
    """The condition ``Ready``, or None."""
    return find((pod.get("status") or {}).get("conditions"), "Ready")


def is_ready(pod: Object) -> bool:
    """Whether the condition ``Ready`` is True."""
    condition = ready_condition(pod)
    return condition is not None and condition["status"] == "True"


def ready_since(pod: Object) -> datetime | None:
    """When it became ready; None when it is not."""
    condition = ready_condition(pod)
    if condition is None or condition["status"] != "True" or not condition.get("lastTransitionTime"):
        return None
    return parse(condition["lastTransitionTime"])


def seconds_until_available(pod: Object, min_ready_seconds: int, now: datetime) -> float | None:
    """0 when the pod is available, i.e. has been ready for ``min_ready_seconds``; None when it is not ready."""
    if not is_ready(pod):
        return None
    since = ready_since(pod)
    if min_ready_seconds == 0:
        return 0
    if since is None:
        return None
    return max(0.0, (since + timedelta(seconds=min_ready_seconds) - now).total_seconds())


def is_available(pod: Object, min_ready_seconds: int, now: datetime) -> bool:
    """Whether it has been ready for ``min_ready_seconds``."""
    return seconds_until_available(pod, min_ready_seconds, now) == 0


def addresses(pod: Object) -> list[str]:
    """Its addresses, the primary one first; empty before it has one."""
    status = pod.get("status") or {}
    listed = [each["ip"] for each in status.get("podIPs") or () if each.get("ip")]
    return listed or ([status["podIP"]] if status.get("podIP") else [])
