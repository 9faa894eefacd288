"""The checks on a real cluster: the unsolved start fails, the solution passes, named wrong answers are refused.

The solution itself is run, and its outcome compared, by tests/privileges.
"""

import pytest

from kubelab import check, connect
from kubelab.course import start
from kubelab.grading import Outcome

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

SERVICE = """
apiVersion: v1
kind: Service
metadata:
  name: {task.service}
spec:
  selector:
    app: {selected}
  ports:
  - port: {task.service_port}
    targetPort: {task.container_port}
"""


@pytest.fixture
def lab(learner):
    return connect("wrong-answers")


@pytest.fixture
def task(lab):
    return start("1.2")


def point_customer_at(lab, target):
    lab.set_env("deployment/customer", TARGET=target)


def test_the_unsolved_start_is_not_attempted(lab, task):
    assert check("1.2").outcome is Outcome.NOT_ATTEMPTED


def test_a_customer_pinned_to_a_pod_is_refused(lab, task):
    pod = lab.pods(f"app={task.app}")[1]
    point_customer_at(lab, f"{pod.ip}:{pod.port}")
    result = check("1.2")
    assert result.outcome is Outcome.INCORRECT
    assert "the pod behind it was deleted" in result.reason
    assert result.measured["success"] < 0.99


def test_a_service_with_the_wrong_selector_is_refused(lab, task):
    lab.apply(SERVICE.format(task=task, selected=task.app + "s"))
    point_customer_at(lab, f"{task.service}:{task.service_port}")
    result = check("1.2")
    assert result.outcome is Outcome.INCORRECT
    assert "nobody stands behind it" in result.reason
    assert result.measured["success"] == 0


def test_a_customer_pinned_to_the_services_own_ip_is_refused(lab, task):
    lab.apply(SERVICE.format(task=task, selected=task.app))
    point_customer_at(lab, f"{lab.get(f'service/{task.service}')['spec']['clusterIP']}:{task.service_port}")
    result = check("1.2")
    assert result.outcome is Outcome.INCORRECT
    assert "written down by hand" in result.reason
