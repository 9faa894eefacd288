"""How many pods each ReplicaSet may have at this moment of a rollout.

https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kubelab.engine.client import Object
from kubelab.engine.controllers.deployment.template import by_age
from kubelab.engine.controllers.portions import in_pods

Scaled = list[tuple[Object, int]]
"""ReplicaSets, each with the number of replicas it should get."""


def is_rolling(deployment: Object) -> bool:
    """Whether the strategy is RollingUpdate, which it is unless Recreate is asked for."""
    return (deployment["spec"].get("strategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"


def wanted(obj: Object) -> int:
    """``spec.replicas`` of a Deployment or ReplicaSet."""
    return int(obj["spec"].get("replicas", 1))


def total_wanted(replicasets: Iterable[Object]) -> int:
    """The sum of ``spec.replicas``."""
    return sum(wanted(each) for each in replicasets)


def counted(replicaset: Object, field: str) -> int:
    """A number in the status; 0 before it is there."""
    return int((replicaset.get("status") or {}).get(field, 0))


def limits(deployment: Object) -> tuple[int, int]:
    """``(maxSurge, maxUnavailable)`` in pods.

    A percentage of surge is rounded up, one of unavailability down; if both come to 0, one pod may be unavailable,
    as otherwise nothing could ever move.
    """
    if not is_rolling(deployment):
        return 0, 0
    desired = wanted(deployment)
    asked = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    surge = in_pods(asked.get("maxSurge", "25%"), desired, round_up=True)
    unavailable = in_pods(asked.get("maxUnavailable", "25%"), desired, round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, desired)


def new_size(deployment: Object, new: Object | None, others: Iterable[Object]) -> int:
    """How many replicas the new ReplicaSet (None: not made yet) may have now."""
    desired, present = wanted(deployment), wanted(new) if new is not None else 0
    if not is_rolling(deployment) or present >= desired:
        return desired
    room = desired + limits(deployment)[0] - total_wanted(others) - present
    return present + min(max(room, 0), desired - present)


def old_sizes(deployment: Object, new: Object, olds: Sequence[Object]) -> Scaled:
    """How far the old ReplicaSets can go down now: their broken pods first, then healthy ones that may be spared."""
    active = sorted((each for each in olds if wanted(each) > 0), key=by_age)
    least = wanted(deployment) - limits(deployment)[1]
    new_unavailable = wanted(new) - counted(new, "availableReplicas")
    budget = total_wanted([*active, new]) - least - new_unavailable
    if not active or budget <= 0:
        return []
    sizes = {each["metadata"]["name"]: wanted(each) for each in active}
    _drop(
        sizes, {each["metadata"]["name"]: wanted(each) - counted(each, "availableReplicas") for each in active}, budget
    )
    available = sum(counted(each, "availableReplicas") for each in [*active, new])
    _drop(sizes, dict(sizes), available - least)
    return [
        (each, sizes[each["metadata"]["name"]]) for each in active if sizes[each["metadata"]["name"]] != wanted(each)
    ]


def _drop(sizes: dict[str, int], droppable: dict[str, int], budget: int) -> None:
    for name, most in droppable.items():
        dropped = max(0, min(most, budget))
        sizes[name] -= dropped
        budget -= dropped
