"""Lesson 2's checks on a real cluster: the unsolved start fails, named wrong answers are refused.

The solutions themselves are run, and their outcomes and the matrix compared, by tests/privileges.
"""

import pytest

from kubelab import check, connect, predict
from kubelab.course import start
from kubelab.course.lessons.lesson02_services_and_endpointslices import puzzle, two_versions
from kubelab.course.seed import Seed
from kubelab.grading import Outcome

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

SEED = Seed("reference")
CASES = {case.fault: case for case in puzzle.cases(SEED) if case.fault}


@pytest.fixture
def lab(learner):
    return connect("wrong-wires")


@pytest.fixture
def task(lab):
    return start("2.1")


def repair(lab, **instead):
    """The three repairs of task 2.2, but for the faults that are wired otherwise instead."""
    lab.apply([case.manifest(instead.get(fault, case.right)) for fault, case in CASES.items()])


def apply_service(lab, task, selector, target):
    ports = [{"port": task.service_port, "targetPort": target}]
    spec = {"selector": selector, "ports": ports}
    lab.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": task.service}, "spec": spec})


def refused(task_id, said):
    result = check(task_id)
    assert result.outcome is Outcome.INCORRECT, result
    assert said in repr(result), result


def test_one_service_is_not_attempted_before_there_is_one_and_refused_while_it_reaches_others(lab, task):
    assert check("2.1").outcome is Outcome.NOT_ATTEMPTED
    predict("2.slices", 2)
    assert check("2.1").outcome is Outcome.NOT_ATTEMPTED
    old, *_ = two_versions.versions(SEED)
    apply_service(lab, task, {"team": old.team}, old.port_name)
    refused("2.1", "pods of another app too")
    apply_service(lab, task, {"app": task.app}, old.port)
    refused("2.1", f"to port {old.port}, where not every pod listens")
    apply_service(lab, task, {"app": task.app, "version": "old"}, old.port_name)
    refused("2.1", "reaches only some of the pods")


def test_five_services_are_not_attempted_at_the_start_and_refused_while_some_are_broken(lab):
    start("2.2")
    assert check("2.2").outcome is Outcome.NOT_ATTEMPTED
    case = CASES[puzzle.LABEL]
    lab.apply(case.manifest(case.right))
    refused("2.2", "2 of 5 Services do not do what they should")
    changed = case.versions[0].manifest
    changed["spec"]["template"]["metadata"]["labels"]["team"] = "somebody-elses"
    lab.apply(changed)
    refused("2.2", f"The Deployment {case.versions[0].deployment} is no longer what it was")


def test_a_selector_too_broad_and_a_number_that_is_right_for_one_version_only_are_refused(lab):
    start("2.2")
    broad, name = CASES[puzzle.BROAD], CASES[puzzle.NAME]
    number = name.versions[0].port
    repair(lab, broad=broad.wire, name=name.right._replace(target=number))
    refused("2.2", f"✖ {broad.service}: some requests answered by pods of another app")
    refused("2.2", f"✖ {name.service}: some requests failed")
    lab.apply(broad.manifest(broad.right))
    refused("2.2", f"{name.service} sends its clients to port {number}, where not every pod listens")


def test_addresses_written_by_hand_do_not_outlive_the_pods_and_a_reset_takes_them_along(lab):
    start("2.2")
    repair(lab)
    case = CASES[puzzle.LABEL]
    lab.delete(f"service/{case.service}")
    by_hand = case.manifest(case.right)
    del by_hand["spec"]["selector"]
    pods = lab.pods(f"app={case.app}")
    metadata = {"name": f"{case.service}-by-hand", "labels": {"kubernetes.io/service-name": case.service}}
    written = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": "IPv4",
        "ports": [{"name": "", "port": pods[0].port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [pod.ip], "conditions": {"ready": True}} for pod in pods],
    }
    lab.apply([by_hand, written])
    lab.wait(f"service/{case.service}", "answers")
    result = check("2.2")
    assert result.outcome is Outcome.INCORRECT, result
    assert result.reason.startswith("After every pod was replaced"), result
    assert "written by hand" in result.advice
    lab.reset()
    assert not [piece for piece in lab.find("endpointslices") if piece["metadata"]["name"] == metadata["name"]]
