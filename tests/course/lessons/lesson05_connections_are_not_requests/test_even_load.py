"""The judge of task 5.2 on its own; on a real cluster it is tried in tests/lessons."""

import pytest

from kubelab import check
from kubelab.course import start
from kubelab.course.lessons.lesson05_connections_are_not_requests.counters import Counted, counted
from kubelab.course.lessons.lesson05_connections_are_not_requests.even_load import Plan, ScaleUp, judge
from kubelab.grading import Outcome

EVEN = (190, 205, 210, 199, 201, 200)
IDLE = (600, 610, 0, 0, 0, 0)
TEN_A_CONNECTION = (134, 161, 195, 220, 233, 277)
FINE = {"sent": 300, "answered": 300}


def seen(requests, seconds=4.0):
    numbered = {f"uid-{index}": count for index, count in enumerate(requests)}
    return ScaleUp(Counted(seconds, numbered, numbered))


def plan(*, replicas=1, rate="300", affinity="None"):
    container = {"env": [{"name": "RATE", "value": rate}]}
    customer = {"spec": {"replicas": replicas, "template": {"spec": {"containers": [container]}}}}
    return Plan(customer, customer, [{"spec": {"sessionAffinity": affinity}}])


def test_an_even_load_at_the_whole_rate_is_correct():
    assert judge(seen(EVEN), plan(), FINE)
    assert judge(seen(EVEN), plan(replicas=2, rate="150"), FINE)


@pytest.mark.parametrize(
    ("counts", "plans", "report", "said"),
    [
        (seen(IDLE), plan(), FINE, "opened before they came"),
        (seen(IDLE), plan(affinity="ClientIP"), FINE, "the opposite of what is asked"),
        (seen(TEN_A_CONNECTION), plan(), FINE, "not evenly"),
        (seen(EVEN, 7.0), plan(rate="170"), FINE, "Fewer than 300"),
        (seen(EVEN, 4.9), plan(rate="250"), FINE, "Fewer than 300"),
        (seen((0, 0)), plan(replicas=0), {}, "no customer any more"),
        (seen((0, 0)), plan(), {"sent": 300, "DNS": 300}, "fail (DNS)"),
        (seen((0, 0)), plan(), {}, "nothing arrives"),
        (seen((20,) * 6, 7.0), plan(), {"sent": 30, "answered": 20, "TimeoutError": 10}, "fail (TimeoutError)"),
    ],
)
def test_a_wrong_answer_is_refused_with_its_reason(counts, plans, report, said):
    result = judge(counts, plans, report)
    assert result.outcome is Outcome.INCORRECT
    assert said in result.reason


def test_a_machine_that_is_too_busy_is_not_held_against_the_learner():
    for counts in (seen(EVEN, 20.0), seen((40,) * 6, 7.0)):
        result = judge(counts, plan(), FINE)
        assert result.outcome is Outcome.CANNOT_CHECK
        assert "too busy" in result.reason


def test_what_is_shown_is_the_same_on_every_run():
    assert repr(judge(seen(EVEN), plan(), FINE)) == repr(judge(seen((200,) * 6, 4.1), plan(), FINE))


def test_counters_are_summed_over_clients_without_the_labs_own_and_differences_are_taken():
    before = counted(10.0, {"a": {"c1": {"requests": 5, "connections": 1}}}, "lab")
    peers = {
        "a": {"c1": {"requests": 9, "connections": 1}, "lab": {"requests": 50, "connections": 50}},
        "b": {"c1": {"requests": 2, "connections": 1}, "c2": {"requests": 1, "connections": 1}},
    }
    since = counted(12.0, peers, "lab").since(before)
    assert (since.at, since.requests, since.connections) == (2.0, {"a": 4, "b": 3}, {"a": 0, "b": 2})
    assert since.total == 7


def test_the_unsolved_start_is_not_attempted(lab):
    start("5.2")
    assert check("5.2").outcome is Outcome.NOT_ATTEMPTED


def test_without_the_start_state_it_cannot_be_checked(lab):
    assert check("5.2").outcome is Outcome.CANNOT_CHECK
