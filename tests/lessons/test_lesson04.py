"""Lesson 4's checks on a real cluster: the unsolved start fails, named wrong answers are refused.

The solutions themselves are run, and their outcomes compared, by tests/privileges.
"""

import pytest

from kubelab import check, connect, predict
from kubelab.course import start
from kubelab.course.lessons.lesson04_kube_proxy_modes import names, rules
from kubelab.grading import Outcome

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]


@pytest.fixture
def lab(learner):
    lab = connect("wrong-modes")
    yield lab
    lab.switch_proxy_mode("iptables")


def refused(task_id, said):
    result = check(task_id)
    assert result.outcome is Outcome.INCORRECT, result
    assert said in repr(result), result


def run(node, *argv, stdin=""):
    done = node.run(list(argv), stdin=stdin)
    assert done.code == 0, done


def apply_services(lab, task, app, **more):
    for name in names(task.service):
        spec = {"selector": {"app": app}, "ports": [{"port": 80, "targetPort": task.container_port}], **more}
        lab.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})


def test_a_count_is_not_attempted_before_it_was_made_and_refused_when_it_is_not_the_nodes(lab):
    task = start("4.1")
    assert check("4.1").outcome is Outcome.NOT_ATTEMPTED
    predict("4.slope", 1)
    assert check("4.1").outcome is Outcome.NOT_ATTEMPTED
    predict.compare("4.slope", 1)
    apply_services(lab, task, "nobody")
    refused("4.1", "The node has no rules for")
    before = rules(lab)
    apply_services(lab, task, task.app)
    for name in names(task.service):
        lab.wait(f"service/{name}", "answers")
    refused("4.1", "What you have counted is not what a Service brings")
    predict.compare("4.slope", (rules(lab) - before) // 3)
    lab.switch_proxy_mode("nftables")
    refused("4.1", "this task is about iptables")


def test_a_mode_in_words_only_chains_by_hand_and_a_service_that_is_gone_are_refused(lab):
    task = start("4.2")
    assert check("4.2").outcome is Outcome.NOT_ATTEMPTED
    node = lab.cluster.nodes()[1]
    run(node, "nft", "-f", "-", stdin="add table ip kube-proxy\n")
    refused("4.2", "kube-proxy itself says iptables")
    lab.switch_proxy_mode("nftables")
    assert check("4.2").outcome is Outcome.CORRECT
    run(node, "iptables", "-t", "nat", "-N", "KUBE-SVC-BYHAND")
    refused("4.2", "Chains with names of iptables mode are there")
    run(node, "iptables", "-t", "nat", "-X", "KUBE-SVC-BYHAND")
    lab.delete(f"service/{task.service}")
    refused("4.2", f"✖ {task.service} answers every request")
