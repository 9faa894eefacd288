"""Scaling a Deployment, in the middle of a rollout too: new and old ReplicaSets grow in proportion.

https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#proportional-scaling
"""

from __future__ import annotations

from collections.abc import Sequence

from kubelab.engine.client import Object
from kubelab.engine.controllers.deployment.rolling import (
    Scaled,
    counted,
    is_rolling,
    limits,
    total_wanted,
    wanted,
)
from kubelab.engine.controllers.deployment.template import by_age
from kubelab.engine.controllers.labels import annotations_of

DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"


def size_annotations(deployment: Object) -> dict[str, str]:
    """What a ReplicaSet notes of the Deployment's size, so that a later change of it can be told from a rollout."""
    desired = wanted(deployment)
    return {DESIRED: str(desired), MAXIMUM: str(desired + limits(deployment)[0])}


def was_scaled(deployment: Object, replicasets: Sequence[Object]) -> bool:
    """Whether the Deployment's size has changed since its ReplicaSets were last sized."""
    noted = [_number(each, DESIRED) for each in replicasets if wanted(each) > 0]
    return any(each is not None and each != wanted(deployment) for each in noted)


def scaled_sizes(deployment: Object, new: Object | None, olds: Sequence[Object]) -> Scaled:
    """The sizes after a change of the Deployment's ``replicas``, or while it is paused.

    A ReplicaSet that keeps its size is in the answer too where its notes need renewing.
    """
    only = _only_active_or_latest(new, olds)
    if only is not None:
        renewed = {**annotations_of(only), **size_annotations(deployment)}
        changed = wanted(only) != wanted(deployment) or (wanted(only) > 0 and renewed != annotations_of(only))
        return [(only, wanted(deployment))] if changed else []
    if new is not None and _is_saturated(deployment, new):
        return [(each, 0) for each in olds if wanted(each) > 0]
    if not is_rolling(deployment):
        return []
    active = [each for each in (*olds, *([new] if new else [])) if wanted(each) > 0]
    return _proportional(deployment, active)


def _only_active_or_latest(new: Object | None, olds: Sequence[Object]) -> Object | None:
    everyone = [*olds, *([new] if new else [])]
    active = [each for each in everyone if wanted(each) > 0]
    if len(active) == 1:
        return active[0]
    if active or not everyone:
        return None
    return new or max(olds, key=by_age)


def _is_saturated(deployment: Object, new: Object) -> bool:
    desired = wanted(deployment)
    return wanted(new) == _number(new, DESIRED) == counted(new, "availableReplicas") == desired


def _proportional(deployment: Object, active: list[Object]) -> Scaled:
    desired = wanted(deployment)
    allowed = desired + limits(deployment)[0] if desired else 0
    to_add = allowed - total_wanted(active)
    # The largest first; among equals the newer grows first and the older shrinks first.
    active = sorted(sorted(active, key=by_age, reverse=to_add > 0), key=wanted, reverse=True)
    sizes, added = [], 0
    for each in active:
        share = _share(deployment, each, to_add, added)
        added += share
        sizes.append(wanted(each) + share)
    if sizes:
        sizes[0] = max(0, sizes[0] + to_add - added)
    return list(zip(active, sizes, strict=True))


def _share(deployment: Object, replicaset: Object, to_add: int, added: int) -> int:
    left = to_add - added
    if to_add == 0 or left == 0:
        return 0
    fraction = _fraction(deployment, replicaset)
    return min(fraction, left) if to_add > 0 else max(fraction, left)


def _fraction(deployment: Object, replicaset: Object) -> int:
    present = wanted(replicaset)
    if wanted(deployment) == 0:
        return -present
    before = _number(replicaset, MAXIMUM) or (deployment.get("status") or {}).get("replicas", 0)
    if not before:
        return 0
    after = wanted(deployment) + limits(deployment)[0]
    return (2 * present * after + before) // (2 * before) - present  # rounded to the nearest, halves up


def _number(obj: Object, annotation: str) -> int | None:
    """A note that is no number is as good as none."""
    value = annotations_of(obj).get(annotation, "")
    return int(value) if value.isdigit() else None
