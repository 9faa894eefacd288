"""Lesson 10's checks on a real cluster: the unsolved start fails, named wrong answers are refused.

The solution to the reference learner's fault is run by tests/privileges; the other probe's is run here.
"""

import pytest

from kubelab import check, connect
from kubelab.course import start
from kubelab.course.lessons.lesson10_probes_and_rollouts import applied, wrong_probe
from kubelab.course.seed import REFERENCE, Seed
from kubelab.grading import Outcome

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

OTHER = next(
    text for text in map(str, range(20)) if wrong_probe.fault(Seed(text)) != wrong_probe.fault(Seed(REFERENCE))
)


@pytest.fixture
def lab(learner):
    return connect("come-and-go")


def change(lab, task, edit):
    deployment = applied(lab, f"deployment/{task.app}")
    pod = deployment["spec"]["template"]["spec"]
    edit(deployment["spec"], pod, pod["containers"][0])
    lab.apply(deployment)


def refused(task_id, said):
    result = check(task_id)
    assert result.outcome is Outcome.INCORRECT, result
    assert said in repr(result), result


def right(port):
    return {"httpGet": {"path": "/live", "port": port}, "periodSeconds": 1}, {
        "httpGet": {"path": "/ready", "port": port},
        "periodSeconds": 1,
    }


def test_probes_that_are_taken_away_or_confused_are_refused_and_the_other_fault_can_be_mended(lab, monkeypatch):
    monkeypatch.setenv("KUBELAB_SEED", OTHER)
    task = start("10.1")
    assert check("10.1").outcome is Outcome.NOT_ATTEMPTED
    live, ready = right(task.container_port)
    change(lab, task, lambda spec, pod, container: container.update(livenessProbe=live, readinessProbe=None))
    refused("10.1", "went on getting requests")
    change(lab, task, lambda spec, pod, container: container.update(livenessProbe=ready, readinessProbe=ready))
    refused("10.1", "was restarted")
    change(lab, task, lambda spec, pod, container: container.update(livenessProbe=live, readinessProbe=ready))
    assert check("10.1")


def test_a_rollout_with_one_end_loose_is_refused(lab):
    task = start("10.2")
    assert check("10.2").outcome is Outcome.NOT_ATTEMPTED
    sleep = {"preStop": {"sleep": {"seconds": 3}}}
    change(lab, task, lambda spec, pod, container: container.update(lifecycle=sleep))
    refused("10.2", "before they served")
    ready = right(task.container_port)[1]
    change(lab, task, lambda spec, pod, container: container.update(lifecycle=sleep, readinessProbe=ready))
    refused("10.2", "connections that clients keep were cut")


def test_a_shorter_pause_does_not_save_the_long_request(lab):
    task = start("10.3")
    assert check("10.3").outcome is Outcome.NOT_ATTEMPTED
    change(lab, task, lambda spec, pod, container: container.pop("lifecycle"))
    refused("10.3", "killed in the middle")
