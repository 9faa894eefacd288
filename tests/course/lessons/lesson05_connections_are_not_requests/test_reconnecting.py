from types import SimpleNamespace

import pytest

from kubelab import check, predict
from kubelab.course import start
from kubelab.course.lessons.lesson05_connections_are_not_requests.reconnecting import judge
from kubelab.grading import Outcome
from kubelab.lab.traffic import Answer, Traffic


@pytest.fixture
def task(lab):
    brief = start("5.1")
    predict("5.single", 2)
    return brief


def record(lab, task, do, *, service=None, connections=1):
    watch = lab.watch_shares(
        f"{service or task.service}:{task.service_port}", rate=40, connections=connections, phase_seconds=1
    )
    with watch as shares:
        do(shares)


def grow_and_reconnect(lab, task):
    def do(shares):
        with shares.event("scaled up"):
            lab.scale(f"deployment/{task.app}", task.pods)
        with shares.event("reconnected"):
            shares.reconnect()

    return do


def test_the_reference_solution_passes(lab, task):
    record(lab, task, grow_and_reconnect(lab, task))
    assert check("5.1")
    assert lab.last_shares["reconnected"].answering == 1


def test_the_unsolved_start_and_a_block_that_failed_are_not_attempted(lab, task):
    assert check("5.1").outcome is Outcome.NOT_ATTEMPTED

    def fail(_):
        raise NotImplementedError

    with pytest.raises(NotImplementedError):
        record(lab, task, fail)
    assert check("5.1").outcome is Outcome.NOT_ATTEMPTED


def test_without_a_prediction_it_is_not_attempted(lab):
    task = start("5.1")
    record(lab, task, grow_and_reconnect(lab, task))
    assert check("5.1").outcome is Outcome.NOT_ATTEMPTED


def event(do):
    def inside(shares):
        with shares.event("it"):
            do(shares)

    return inside


def replace(lab, task):
    lab.delete(f"app={task.app}")
    lab.scale(f"deployment/{task.app}", task.pods)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda lab, task: event(lambda shares: shares.reconnect()), "does not go from 2 pods"),
        (lambda lab, task: event(lambda _: lab.scale(f"deployment/{task.app}", task.pods)), "the one from the start"),
        (lambda lab, task: event(lambda _: replace(lab, task)), "with the first ones kept"),
    ],
)
def test_other_ways_are_refused_with_the_reason(lab, task, wrong, said):
    record(lab, task, wrong(lab, task))
    result = check("5.1")
    assert result.outcome is Outcome.INCORRECT
    assert said in result.reason


def test_one_event_for_both_is_refused(lab, task):
    def both(shares):
        lab.scale(f"deployment/{task.app}", task.pods)
        shares.reconnect()

    record(lab, task, event(both))
    assert "nobody can tell" in check("5.1").reason


def test_a_pool_is_not_one_connection(lab, task):
    record(lab, task, grow_and_reconnect(lab, task), connections=4)
    assert "more than one connection" in check("5.1").reason


def test_somebody_elses_service_is_refused(lab, task, monkeypatch):
    record(lab, task, grow_and_reconnect(lab, task))
    monkeypatch.setenv("KUBELAB_SEED", "somebody else")
    assert "not your task's Service" in check("5.1").reason


def phase(name, pods, *answers):
    return SimpleNamespace(
        name=name, ready=[f"web-{n + 1}" for n in range(pods)], traffic=Traffic(answers), answering=1
    )


def answer(port, error=""):
    return Answer(0, 0.01, None if error else 200, error, pod="web-1", uid="u-1", peer="10.0.0.1", peer_port=port)


def test_a_connection_that_broke_by_itself_is_not_the_learners_fault():
    broken = (answer(1), answer(0, "timeout"), answer(2))
    shares = SimpleNamespace(
        phases=[phase("at first", 2, *broken), phase("scaled up", 6, answer(2)), phase("end", 6, answer(3))]
    )
    assert judge(shares, 6).outcome is Outcome.CANNOT_CHECK
    shares.phases[0] = phase("at first", 2, answer(1), answer(2))
    assert judge(shares, 6).outcome is Outcome.INCORRECT


def test_nor_is_a_client_that_reconnects_between_the_events():
    between = phase("scaled up", 5, answer(1), answer(2))  # a sixth pod is not ready just then
    shares = SimpleNamespace(phases=[phase("at first", 2, answer(1)), between, phase("end", 6, answer(3))])
    assert judge(shares, 6).outcome is Outcome.CANNOT_CHECK
    shares.phases[2] = phase("end", 6, answer(1))
    assert "the one from the start" in judge(shares, 6).reason
    shares.phases = [shares.phases[0], phase("both at once", 6, answer(1), answer(2))]
    assert judge(shares, 6).outcome is Outcome.INCORRECT
