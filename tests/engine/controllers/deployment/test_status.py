from __future__ import annotations

import pytest

from kubelab.engine.controllers.conditions import find
from kubelab.engine.controllers.deployment.status import seconds_until_timeout, status_of


def progressing(make, reason, *, status="True", updated=30, since=500) -> dict:
    return {
        "type": "Progressing",
        "status": status,
        "reason": reason,
        "message": "",
        "lastUpdateTime": make.ago(updated),
        "lastTransitionTime": make.ago(since),
    }


def said(status: dict, kind: str) -> tuple[str, str, str]:
    condition = find(status["conditions"], kind)
    return condition["status"], condition["reason"], condition["message"]


def test_counts_are_sums_and_noughts_are_left_out(make):
    new, old = make.replicaset("web-new", 2, available=1), make.replicaset("web-old", 1)
    status = status_of(make.deployment(3), new, [old], make.now, rollout=True)
    counts = {key: value for key, value in status.items() if key != "conditions"}
    assert counts == {
        "observedGeneration": 1,
        "replicas": 3,
        "updatedReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "unavailableReplicas": 1,
        "terminatingReplicas": 0,
    }
    full = status_of(make.deployment(2), make.replicaset("web-new", 2), [], make.now, rollout=True)
    assert "unavailableReplicas" not in full


@pytest.mark.parametrize(
    ("available", "expected"),
    [
        (3, ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")),
        (2, ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")),
    ],
)
def test_it_is_available_with_all_but_the_allowed_unavailable(make, available, expected):
    new = make.replicaset("web-new", 4, available=available)
    assert said(status_of(make.deployment(4), new, [], make.now, rollout=True), "Available") == expected


def test_any_step_forward_is_progress_and_renews_the_clock(make):
    before = {"conditions": [progressing(make, "NewReplicaSetCreated")], "replicas": 3}
    new, old = make.replicaset("web-new", 1), make.replicaset("web-old", 3)
    status = status_of(make.deployment(3, status=before), new, [old], make.now, rollout=True)
    assert said(status, "Progressing") == ("True", "ReplicaSetUpdated", 'ReplicaSet "web-new" is progressing.')
    condition = find(status["conditions"], "Progressing")
    assert condition["lastUpdateTime"] == make.ago(0)
    assert condition["lastTransitionTime"] == make.ago(500)


def test_a_complete_rollout_says_so_once_and_is_left_alone(make):
    new = make.replicaset("web-new", 2)
    before = {"conditions": [progressing(make, "ReplicaSetUpdated")], "replicas": 2, "updatedReplicas": 2}
    status = status_of(make.deployment(2, status=before), new, [], make.now, rollout=True)
    assert said(status, "Progressing") == (
        "True",
        "NewReplicaSetAvailable",
        'ReplicaSet "web-new" has successfully progressed.',
    )
    broken = make.replicaset("web-new", 2, available=0)
    later = status_of(make.deployment(2, status=status), broken, [], make.now, rollout=True)
    assert said(later, "Progressing")[1] == "NewReplicaSetAvailable"
    assert said(later, "Available")[0] == "False"


def test_no_step_for_the_deadline_is_a_timeout(make):
    new, old = make.replicaset("web-new", 1, available=0), make.replicaset("web-old", 3)
    counts = {"replicas": 4, "updatedReplicas": 1, "readyReplicas": 3, "availableReplicas": 3}
    before = {"conditions": [progressing(make, "ReplicaSetUpdated", updated=599)], **counts}
    early = make.deployment(3, status=before)
    assert said(status_of(early, new, [old], make.now, rollout=True), "Progressing")[1] == "ReplicaSetUpdated"
    assert seconds_until_timeout(early, make.now) == 2

    late = {"conditions": [progressing(make, "ReplicaSetUpdated", updated=601)], **counts}
    status = status_of(make.deployment(3, status=late), new, [old], make.now, rollout=True)
    assert said(status, "Progressing") == (
        "False",
        "ProgressDeadlineExceeded",
        'ReplicaSet "web-new" has timed out progressing.',
    )
    assert seconds_until_timeout(make.deployment(3, status=status), make.now) is None


def test_nothing_is_said_of_progress_while_only_the_size_changes(make):
    known = progressing(make, "ReplicaSetUpdated")
    deployment = make.deployment(5, status={"conditions": [known]})
    status = status_of(deployment, make.replicaset("web-new", 5), [], make.now, rollout=False)
    assert find(status["conditions"], "Progressing") == known


def test_without_a_deadline_there_is_no_such_condition(make):
    deployment = make.deployment(
        1, progressDeadlineSeconds=2**31 - 1, status={"conditions": [progressing(make, "ReplicaSetUpdated")]}
    )
    status = status_of(deployment, make.replicaset("web-new", 1), [], make.now, rollout=True)
    assert find(status["conditions"], "Progressing") is None


def test_a_refused_pod_is_reported_by_the_deployment_too(make):
    new = make.replicaset("web-new", 1, available=0, total=0)
    refusal = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": "no room",
        "lastTransitionTime": make.ago(3),
    }
    new["status"]["conditions"] = [refusal]
    status = status_of(make.deployment(1), new, [], make.now, rollout=True)
    assert said(status, "ReplicaFailure") == ("True", "FailedCreate", "no room")
    del new["status"]["conditions"]
    assert find(status_of(make.deployment(1, status=status), new, [], make.now, rollout=True)["conditions"],
                "ReplicaFailure") is None  # fmt: skip
