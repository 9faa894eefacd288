"""Lesson 2's checks on a real cluster: the unsolved start fails, named wrong answers are refused.

The solutions themselves are run, and their outcomes and the matrix compared, by test_nbval.
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


@pytest.fixture
def five(lab):
    """The start state of task 2.2."""
    return start("2.2")


@pytest.fixture
def repaired(lab, five):
    """The three repairs are done; a test undoes one of them."""
    lab.apply([case.manifest(case.right) for case in CASES.values()])


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


def test_five_services_as_they_are_at_the_start_are_not_attempted(five):
    assert check("2.2").outcome is Outcome.NOT_ATTEMPTED


def test_a_repair_that_leaves_two_broken_is_refused(lab, five):
    case = CASES[puzzle.LABEL]
    lab.apply(case.manifest(case.right))
    refused("2.2", "2 of 5 Services do not do what they should")


def test_a_selector_that_finds_another_app_too_is_refused(lab, repaired):
    case = CASES[puzzle.BROAD]
    lab.apply(case.manifest(case.wire))
    refused("2.2", f"✖ {case.service}: some requests answered by pods of another app")


def test_a_number_that_is_right_for_one_version_only_is_refused(lab, repaired):
    case = CASES[puzzle.NAME]
    lab.apply(case.manifest(case.right._replace(target=case.versions[0].port)))
    refused("2.2", f"{case.service} sends its clients to port {case.versions[0].port}, where not every pod listens")


def test_labels_of_a_deployment_that_were_made_to_fit_are_refused(lab, five):
    case = CASES[puzzle.LABEL]
    changed = case.versions[0].manifest
    changed["spec"]["template"]["metadata"]["labels"]["team"] = "somebody-elses"
    lab.apply(changed)
    refused("2.2", f"The Deployment {case.versions[0].deployment} is no longer what it was")


def test_addresses_written_by_hand_do_not_outlive_the_pods_and_a_reset_takes_them_along(lab, repaired):
    case = CASES[puzzle.NUMBER] if puzzle.NUMBER in CASES else CASES[puzzle.LABEL]
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
