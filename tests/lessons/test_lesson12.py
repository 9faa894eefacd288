"""Lesson 12's checks on a real cluster: the unsolved start fails, named wrong answers are refused.

The reference learner's solutions are run by tests/privileges; the repairs of the other faults are run here.
"""

import pytest

from kubelab import check, connect
from kubelab.course import start
from kubelab.course.lessons.lesson12_ingress_tls import CAUSES, answer, ingress
from kubelab.course.lessons.lesson12_ingress_tls.diagnosis import cases
from kubelab.course.seed import Seed
from kubelab.grading import Outcome
from kubelab.lab import Lab, LabError

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

SEEDS = [str(number) for number in range(200)]


@pytest.fixture
def lab(learner):
    """The namespace of the graded notebook: a host belongs to who claimed it first."""
    lab = connect("task-12")
    yield lab
    lab.reset()


def refused(task_id, said):
    result = check(task_id)
    assert result.outcome is Outcome.INCORRECT, result
    assert said in repr(result), result


def apply_tls(lab, task, tls):
    rules = {task.host: "main", task.wildcard: "branch"}
    lab.apply(ingress(task.ingress, rules, tls))


def test_one_certificate_for_all_a_self_signed_one_one_next_door_and_an_expired_one_are_refused(lab):
    task = start("12.1")
    assert check("12.1").outcome is Outcome.NOT_ATTEMPTED
    both = {task.host: task.host_secret, task.wildcard: task.wildcard_secret}

    lab.certificate(task.host, namespace=f"{lab.namespace}-next-door", secret=task.host_secret)
    lab.certificate(task.wildcard, secret=task.wildcard_secret)
    apply_tls(lab, task, both)
    refused("12.1", "the ingress's default certificate")
    lab.delete(f"namespace/{lab.namespace}-next-door")

    lab.certificate(task.host, task.wildcard, secret=task.host_secret)
    refused("12.1", f"wanted is one for {task.host} alone")
    apply_tls(lab, task, {task.host: task.host_secret, task.wildcard: task.host_secret})
    refused("12.1", f"a certificate for {task.host}, {task.wildcard} is served")
    apply_tls(lab, task, both)

    for mistake, said in (("self-signed", "not verified: self-signed"), ("expired", "not verified: expired")):
        issued = lab.certificate(task.host, secret=task.host_secret, mistake=mistake)
        lab.tls(task.host, until=issued)
        refused("12.1", said)
    lab.tls(task.host, until=lab.certificate(task.host, secret=task.host_secret, days=5))
    refused("12.1", "less than 7 days")


def test_a_rotation_that_nobody_watched_and_one_that_deletes_first_are_refused(lab):
    task = start("12.2")
    assert check("12.2").outcome is Outcome.NOT_ATTEMPTED
    with lab.watch_tls(task.host):
        pass
    assert check("12.2").outcome is Outcome.NOT_ATTEMPTED
    lab.last_tls_watch = None
    lab.tls(task.host, until=lab.certificate(task.host, secret=task.secret))
    refused("12.2", "while nobody watched")

    with lab.watch_tls(task.other_host):
        pass
    refused("12.2", "is about")

    start("12.2")
    with lab.watch_tls(task.host, rate=task.rate) as record:
        with record.event("deleted"):
            lab.delete(f"secret/{task.secret}")
        with record.event("made anew"):
            lab.certificate(task.host, secret=task.secret)
    refused("12.2", "were served the ingress's default certificate meanwhile")


def test_too_few_clients_no_mark_and_the_other_host_replaced_too_are_refused(lab):
    task = start("12.2")
    with lab.watch_tls(task.host, rate=20):
        lab.tls(task.host, until=lab.certificate(task.host, secret=task.secret))
    refused("12.2", "Fewer than 50 connections")

    start("12.2")
    with lab.watch_tls(task.host, rate=task.rate):
        lab.tls(task.host, until=lab.certificate(task.host, secret=task.secret))
    refused("12.2", "does not say when")

    start("12.2")
    with lab.watch_tls(task.host, rate=task.rate) as record, record.event("both"):
        lab.certificate(task.host, secret=task.secret)
        lab.tls(task.other_host, until=lab.certificate(task.other_host, secret=task.other_secret))
    refused("12.2", "served another certificate than before")


def test_every_fault_is_named_and_mended_in_one_of_three_learners_tasks(lab, monkeypatch):
    """Wrong causes and causes without a repair are refused on the way."""
    for seed in covering(SEEDS):
        monkeypatch.setenv("KUBELAB_SEED", seed)
        start("12.3")
        three = cases(Seed(seed))
        assert check("12.3").outcome is Outcome.NOT_ATTEMPTED
        causes = {case.host: case.fault for case in three}
        answer("12.3", {**causes, three[0].host: next(each for each in CAUSES if each not in causes.values())})
        refused("12.3", "One cause is not what was wrong")
        answer("12.3", causes)
        refused("12.3", "All causes are named. For ")
        for case in three:
            lab.certificate(case.host, secret=case.secret)
        lab.apply(ingress("three", dict.fromkeys(causes, "web"), {case.host: case.secret for case in three}))
        assert check("12.3"), check("12.3")


def covering(seeds):
    """So many learners that every fault is met, as few as that takes."""
    left, chosen = set(CAUSES), []
    while left:
        best = max(seeds, key=lambda seed: len(left & {case.fault for case in cases(Seed(seed))}))
        left -= {case.fault for case in cases(Seed(best))}
        chosen.append(best)
    assert len(chosen) == 3
    return chosen


def test_a_host_of_another_namespace_is_told_before_anything_is_judged(lab):
    task = start("12.1")
    apply_tls(lab, task, {task.host: task.host_secret})
    neighbours = Lab(lab.cluster, lab.api, f"{lab.namespace}-next-door")
    neighbours.apply(ingress("squatter", {task.host: "main"}))
    result = check("12.1")
    assert result.outcome is Outcome.CANNOT_CHECK
    assert "belongs to Ingress squatter" in result.reason
    with pytest.raises(LabError, match="belongs to Ingress squatter"):
        start("12.1")
    neighbours.delete(f"namespace/{neighbours.namespace}")


def test_only_the_listed_causes_can_be_answered():
    with pytest.raises(LabError, match="none of the causes"):
        answer("12.3", {"www.example.test": "bad luck"})
    with pytest.raises(LabError, match="not answered in words"):
        answer("12.1", {})
