"""The history of a Deployment: which template was which revision, and how much of it is kept.

`kubectl rollout history` and `kubectl rollout undo` read these annotations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kubelab.engine.client import Object
from kubelab.engine.controllers.deployment.rolling import counted, wanted
from kubelab.engine.controllers.deployment.scaling import DESIRED, MAXIMUM
from kubelab.engine.controllers.labels import annotations_of
from kubelab.engine.controllers.owners import is_being_deleted

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
_NOT_COPIED = {"kubectl.kubernetes.io/last-applied-configuration", REVISION, HISTORY, DESIRED, MAXIMUM}


def revision_of(obj: Object) -> int:
    """The revision that an object is noted as; 0 for none."""
    value = annotations_of(obj).get(REVISION, "")
    return int(value) if value.isdigit() else 0


def next_revision(olds: Iterable[Object]) -> int:
    """One more than the highest among the old ReplicaSets."""
    return max((revision_of(each) for each in olds), default=0) + 1


def annotations_for(deployment: Object, new: Object | None, revision: int) -> dict[str, str]:
    """What the new ReplicaSet's annotations should be: the Deployment's, the revision and the revisions it was before.

    A revision only grows: old ReplicaSets that are cleaned away do not turn it back.
    """
    annotations = dict(annotations_of(new)) if new else {}
    before = dict(annotations)
    annotations |= {key: value for key, value in annotations_of(deployment).items() if key not in _NOT_COPIED}
    known = revision_of(new) if new else 0
    if known < revision:
        annotations[REVISION] = str(revision)
    if REVISION in before and annotations[REVISION] != before[REVISION]:
        history = [each for each in before.get(HISTORY, "").split(",") if each]
        annotations[HISTORY] = ",".join([*history, before[REVISION]])
    return annotations


def to_clean_up(deployment: Object, olds: Sequence[Object]) -> list[Object]:
    """The old, empty ReplicaSets beyond ``revisionHistoryLimit``, the earliest revisions first."""
    limit = deployment["spec"].get("revisionHistoryLimit", 10)
    alive = [each for each in olds if not is_being_deleted(each)]
    surplus = max(0, len(alive) - limit)
    return [each for each in sorted(alive, key=revision_of)[:surplus] if _is_empty(each)]


def _is_empty(replicaset: Object) -> bool:
    observed = counted(replicaset, "observedGeneration") >= replicaset["metadata"].get("generation", 0)
    return wanted(replicaset) == 0 and counted(replicaset, "replicas") == 0 and observed
