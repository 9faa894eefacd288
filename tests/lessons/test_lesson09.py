"""Lesson 9's checks on a real cluster: the unsolved start fails, named wrong answers are refused.

The solution to the reference learner's fault (affinity) is run by tests/privileges; the other fault's is run here.
"""

import pytest

from kubelab import check, connect
from kubelab.course import start
from kubelab.course.lessons.lesson09_conntrack import stuck
from kubelab.course.seed import Seed
from kubelab.grading import Outcome

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

BY_HAND = next(text for text in map(str, range(20)) if stuck.fault(Seed(text)) == stuck.SLICE)


@pytest.fixture
def lab(learner):
    return connect("stuck-clients")


def service(task, selector=None, affinity="None"):
    ports = [{"port": task.service_port, "targetPort": task.container_port, "protocol": "UDP"}]
    spec = {"sessionAffinity": affinity, "ports": ports, **({"selector": selector} if selector else {})}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": task.service}, "spec": spec}


def refused(said):
    result = check("9.2")
    assert result.outcome is Outcome.INCORRECT, result
    assert said in repr(result), result


def test_affinity_stays_affinity_with_more_pods_and_with_other_pods(lab):
    task = start("9.2")
    assert check("9.2").outcome is Outcome.NOT_ATTEMPTED
    lab.scale(f"deployment/{task.app}", 4)
    refused("keeps all that comes from one address on one pod")
    lab.apply(service(task, {"app": task.app}))
    lab.scale(f"deployment/{task.app}", 1)
    refused("fewer than the 2 pods")


def test_addresses_written_by_hand_do_not_outlive_pods_and_stay_beside_a_selector(lab, monkeypatch):
    monkeypatch.setenv("KUBELAB_SEED", BY_HAND)
    task = start("9.2")
    assert check("9.2").outcome is Outcome.NOT_ATTEMPTED
    own = stuck.facts(Seed(BY_HAND))
    lab.apply(stuck.by_hand(own, sorted(lab.pods(f"app={task.app}").ips)))
    refused("written by hand")
    lab.apply(service(task, {"app": task.app}))
    refused("written by hand")
    lab.delete(f"endpointslice/{task.service}-{stuck.BY_HAND}")
    assert check("9.2")
