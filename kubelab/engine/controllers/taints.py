"""Taints and tolerations, as the scheduler and the eviction from tainted nodes read them.

https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
"""

from __future__ import annotations

from collections.abc import Iterable

from kubelab.engine.client import Object


def keep_out(taints: Iterable[Object], pod: Object) -> bool:
    """Whether one of the taints forbids to schedule the pod, which does not tolerate it."""
    return any(each["effect"] in ("NoSchedule", "NoExecute") and not tolerates(pod, each) for each in taints)


def tolerates(pod: Object, taint: Object) -> bool:
    """Whether one of the pod's tolerations is for the taint."""
    return toleration_of(pod, taint) is not None


def toleration_of(pod: Object, taint: Object) -> Object | None:
    """The first of the pod's tolerations that is for the taint, or None."""
    tolerations: list[Object] = pod["spec"].get("tolerations") or []
    for each in tolerations:
        exists = each.get("operator", "Equal") == "Exists"
        key_fits = each.get("key", "") == taint["key"] or (exists and not each.get("key"))
        value_fits = exists or each.get("value", "") == taint.get("value", "")
        if key_fits and value_fits and each.get("effect", "") in ("", taint["effect"]):
            return each
    return None
