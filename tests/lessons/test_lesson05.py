"""Task 5.2 on a real cluster: named wrong answers are refused, and another way than the solution's passes.

The solution itself is run, and its outcome compared, by tests/privileges.
"""

import pytest

from kubelab import check, connect
from kubelab.course import start
from kubelab.grading import Outcome

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]


@pytest.fixture
def lab(learner):
    return connect("even-load")


@pytest.fixture
def task(lab):
    return start("5.2")


def refused(said):
    result = check("5.2")
    assert result.outcome is Outcome.INCORRECT
    assert said in result.reason
    return result.measured


def test_a_customer_that_was_restarted_and_servers_that_were_scaled_down_by_hand(lab, task):
    assert check("5.2").outcome is Outcome.NOT_ATTEMPTED
    lab.scale(f"deployment/{task.app}", 1)
    lab.restart("deployment/customer")
    assert refused("opened before they came")["requests"][:4] == [0, 0, 0, 0]


def test_session_affinity(lab, task):
    lab.apply(
        f"""
        apiVersion: v1
        kind: Service
        metadata: {{name: {task.service}}}
        spec:
          sessionAffinity: ClientIP
          selector: {{app: {task.app}}}
          ports:
          - {{port: {task.service_port}, targetPort: {task.container_port}}}
        """
    )
    lab.set_env("deployment/customer", REQUESTS_PER_CONNECTION="1")
    refused("the opposite of what is asked")


def test_no_customer_and_a_slower_one(lab, task):
    lab.scale("deployment/customer", 0)
    refused("no customer any more")
    lab.set_env("deployment/customer", REQUESTS_PER_CONNECTION="1", RATE="120")
    lab.scale("deployment/customer", 1)
    refused("Fewer than 300")


def test_a_connection_for_each_request_is_another_right_answer(lab, task):
    lab.set_env("deployment/customer", REQUESTS_PER_CONNECTION="1")
    assert check("5.2")
