"""Lesson 7's checks on a real cluster: the unsolved start fails, named wrong answers are refused.

The solutions are run, and their outcomes compared, by tests/privileges.
"""

import pytest

from kubelab import check, connect
from kubelab.course import start
from kubelab.grading import Outcome

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]


@pytest.fixture
def lab(learner):
    return connect("dear-names")


@pytest.fixture
def task(lab):
    return start("7.2")


def change(lab, task, partner=None, **fields):
    """Apply the workload with other fields in its pod's spec, or another name for its partner."""
    deployment = lab.get(f"deployment/{task.workload}")
    template = deployment["spec"]["template"]
    template["spec"].update(fields)
    if partner:
        template["spec"]["containers"][0]["env"][0]["value"] = partner
    spec = {"strategy": {"type": "Recreate"}, "selector": deployment["spec"]["selector"], "template": template}
    lab.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": task.workload}, "spec": spec})
    lab.wait(f"deployment/{task.workload}", "available")


def resolver(lab, task, **fields):
    config = lab.get(f"deployment/{task.workload}")["spec"]["template"]["spec"]["dnsConfig"]
    return {**config, **fields}


def ndots(value):
    return [{"name": "ndots", "value": value}]


def refused(said):
    result = check("7.2")
    assert result.outcome is Outcome.INCORRECT, result
    assert said in result.reason, result


def test_too_many_dots_no_endings_and_an_address_by_hand_are_refused(lab, task):
    assert check("7.2").outcome is Outcome.NOT_ATTEMPTED
    config = resolver(lab, task)
    change(lab, task, dnsConfig={**config, "options": ndots("4")})
    refused("still costs 8 questions")
    change(lab, task, dnsConfig={**config, "searches": []})
    refused("SERVICE.NAMESPACE is not found")
    change(lab, task, dnsConfig=config, hostAliases=[{"ip": "192.0.2.80", "hostnames": [task.partner]}])
    refused("written down by hand")


def test_another_name_server_and_another_partner_are_refused(lab, task):
    change(lab, task, dnsPolicy="ClusterFirst", dnsConfig=None)
    refused("not found any more")
    change(lab, task, partner="api.example.test")
    refused("and should be")


def test_a_dot_at_the_end_is_another_right_answer(lab, task):
    change(lab, task, partner=f"{task.partner}.")
    assert check("7.2")
