"""Lesson 8's checks on a real cluster: the unsolved start fails, named wrong answers are refused.

The solutions themselves are run, and their outcomes compared, by tests/privileges.
"""

import pytest

from kubelab import check, connect, predict
from kubelab.course import start
from kubelab.grading import Outcome

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]


@pytest.fixture
def lab(learner):
    return connect("wrong-policies")


def apply_service(lab, task, **fields):
    ports = [{"port": task.service_port, "targetPort": task.container_port}]
    spec = {"type": "LoadBalancer", "selector": {"app": task.app}, "ports": ports, **fields}
    lab.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": task.service}, "spec": spec})


def refused(task_id, said):
    result = check(task_id)
    assert result.outcome is Outcome.INCORRECT, result
    assert said in result.reason, result


def test_a_crowded_node_is_not_attempted_at_the_start_and_refused_under_cluster_and_with_a_wrong_prediction(lab):
    task = start("8.1")
    assert check("8.1").outcome is Outcome.NOT_ATTEMPTED
    predict("8.crowded", 50)
    assert check("8.1").outcome is Outcome.NOT_ATTEMPTED
    apply_service(lab, task, type="ClusterIP")
    refused("8.1", "no port at the nodes")
    apply_service(lab, task, type="NodePort")
    refused("8.1", "take a node for their client")
    apply_service(lab, task, type="NodePort", externalTrafficPolicy="Local")
    refused("8.1", "the prediction is not")


def test_the_wrong_policy_too_many_on_one_node_and_affinity_are_refused(lab):
    task = start("8.2")
    assert check("8.2").outcome is Outcome.NOT_ATTEMPTED
    lab.scale(f"deployment/{task.app}", 4)
    refused("8.2", "take a node for their client")
    apply_service(lab, task, externalTrafficPolicy="Local", sessionAffinity="ClientIP")
    refused("8.2", "sessionAffinity: ClientIP")
    lab.scale(f"deployment/{task.app}", 3)
    apply_service(lab, task, externalTrafficPolicy="Local")
    refused("8.2", "shares are not even")
    lab.scale(f"deployment/{task.app}", 2)
    refused("8.2", "fewer than 3 pods")
    apply_service(lab, task, type="NodePort", externalTrafficPolicy="Local")
    refused("8.2", "no longer of type LoadBalancer")
