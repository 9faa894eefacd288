"""Which pods go first when there are too many.

The order is the documented one of a scale-down
(https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-down-a-replicaset, KEP-2185 for the
logarithmic ages, KEP-2255 for the deletion cost): without a node, pending, not ready, cheap to delete, with siblings on
the node, ready for less long, restarted more often, younger.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kubelab.engine.client import Object
from kubelab.engine.controllers.clock import parse
from kubelab.engine.controllers.labels import annotations_of
from kubelab.engine.controllers.pods import is_active, is_ready, phase, ready_since

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def to_delete(pods: Sequence[Object], siblings: Sequence[Object], count: int, now: datetime) -> list[Object]:
    """The ``count`` pods that go first.

    ``siblings`` are the pods of the same owner's other ReplicaSets as well: where more of them share a node, one goes.
    """
    if count >= len(pods):
        return list(pods)
    on_node = Counter(pod["spec"].get("nodeName") for pod in siblings if is_active(pod))
    return sorted(pods, key=lambda pod: _rank(pod, on_node, now))[:count]


def _rank(pod: Object, on_node: Counter[Any], now: datetime) -> tuple[Any, ...]:
    node = pod["spec"].get("nodeName")
    ready = is_ready(pod)
    restarts = max((each.get("restartCount", 0) for each in _containers(pod)), default=0)
    return (
        bool(node),
        _PHASES.get(phase(pod), 0),
        ready,
        _deletion_cost(pod),
        -on_node[node],
        _magnitude(ready_since(pod) if ready else None, now),
        -restarts,
        _magnitude(parse(pod["metadata"]["creationTimestamp"]), now),
        pod["metadata"]["uid"],
    )


def _containers(pod: Object) -> list[Object]:
    return (pod.get("status") or {}).get("containerStatuses") or []


def _deletion_cost(pod: Object) -> int:
    """What is no number counts as 0; the API refuses it anyway."""
    try:
        return int(annotations_of(pod).get(DELETION_COST, "0"))
    except ValueError:
        return 0


def _magnitude(since: datetime | None, now: datetime) -> int:
    """Ages in powers of two of a second, so that pods of about the same age are told apart by chance (their uid)."""
    if since is None:
        return -1
    age = (now - since).total_seconds()
    return int(math.log2(age)) + 1 if age >= 1 else 0
