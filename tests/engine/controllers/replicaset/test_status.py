from __future__ import annotations

from kubelab.engine.controllers.conditions import find
from kubelab.engine.controllers.replicaset.status import seconds_until_more_available, status_of


def test_it_counts_active_ready_available_and_terminating_pods(make):
    labels = {"app": "web", "pod-template-hash": "abc"}
    replicaset = make.replicaset("web-abc", 4, spec={"minReadySeconds": 10})
    pods = [
        make.pod("a", labels=labels),
        make.pod("b", labels=labels, since=4),
        make.pod("c", labels={"app": "web"}, ready=False),
        make.pod("d", labels=labels, deleting=True),
        make.pod("e", labels=labels, phase="Failed"),
    ]
    assert status_of(replicaset, pods, make.now) == {
        "replicas": 3,
        "fullyLabeledReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 1,
        "terminatingReplicas": 1,
        "observedGeneration": 1,
    }
    assert seconds_until_more_available(replicaset, pods, make.now) == 6


def test_a_pod_that_was_ready_at_once_needs_no_second_look(make):
    assert seconds_until_more_available(make.replicaset("web-abc", 1), [make.pod("a", since=0)], make.now) is None


def test_a_refusal_is_a_condition_until_it_is_over(make):
    replicaset = make.replicaset("web-abc", 1)
    status = status_of(replicaset, [], make.now, ("FailedCreate", "quota"))
    condition = find(status["conditions"], "ReplicaFailure")
    assert (condition["status"], condition["reason"], condition["message"]) == ("True", "FailedCreate", "quota")
    replicaset["status"] = status
    assert "conditions" not in status_of(replicaset, [], make.now)
