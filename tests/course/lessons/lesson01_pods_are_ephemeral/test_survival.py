"""The judge of task 1.2 on its own; on a real cluster it is tried in tests/lessons."""

import pytest

from kubelab import check
from kubelab.course import start
from kubelab.course.lessons.lesson01_pods_are_ephemeral.survival import CustomerLog, judge
from kubelab.grading import Outcome

PODS = frozenset("abcdefgh")


def log(answers="abcdefgh" * 20, *, failed=0, target="shop:9001", host=None, pods=PODS):
    lines = [{"n": 0, "ok": True, "uid": uid, "host": host or target} for uid in answers]
    lines += [{"n": 0, "ok": False, "error": "TimeoutError"}] * failed
    return CustomerLog(target, "shop", tuple(lines), pods)


def test_a_customer_that_calls_the_service_by_name_is_correct():
    assert judge(log(), "")
    assert judge(log(failed=1), "")
    assert judge(log(target="shop.lesson.svc.cluster.local:9001"), "")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (log("a" * 40, failed=100, target="10.244.1.2:8080"), "the pod behind it was deleted"),
        (log(target="10.96.7.7:9001"), "an IP address that is written down by hand"),
        (log("", failed=40), "nobody stands behind it"),
        (log(target="other:9001"), "not under the name shop"),
        (log(pods=frozenset("xyz")), "did not come from the pods of your task"),
        (log(failed=5), "nobody stands behind it"),
    ],
)
def test_a_wrong_answer_is_refused_with_its_reason(wrong, said):
    result = judge(wrong, "nobody stands behind it")
    assert result.outcome is Outcome.INCORRECT
    assert said in result.reason


def test_what_is_shown_is_the_same_on_every_run():
    assert repr(judge(log(failed=1), "")) == repr(judge(log(), ""))


def test_the_unsolved_start_is_not_attempted(lab):
    start("1.2")
    assert check("1.2").outcome is Outcome.NOT_ATTEMPTED


def test_without_the_start_state_it_cannot_be_checked(lab):
    assert check("1.2").outcome is Outcome.CANNOT_CHECK
