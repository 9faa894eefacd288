import pytest

from kubelab import check, predict
from kubelab.course import start
from kubelab.grading import Outcome


@pytest.fixture
def task(lab):
    brief = start("1.1")
    predict("1.scale", 0)
    return brief


def watch(lab, task, do):
    with lab.watch_pods(f"app={task.app}"):
        do(f"deployment/{task.app}")


def down_and_up(lab):
    def do(deployment):
        lab.scale(deployment, 1)
        lab.scale(deployment, 3)

    return do


def test_the_reference_solution_passes(lab, task):
    watch(lab, task, down_and_up(lab))
    assert check("1.1")


def test_the_unsolved_start_is_not_attempted(lab, task):
    assert check("1.1").outcome is Outcome.NOT_ATTEMPTED


def test_a_block_that_failed_is_not_attempted(lab, task):
    def fail(_):
        raise NotImplementedError

    with pytest.raises(NotImplementedError):
        watch(lab, task, fail)
    assert check("1.1").outcome is Outcome.NOT_ATTEMPTED


def test_without_a_prediction_it_is_not_attempted(lab):
    task = start("1.1")
    watch(lab, task, down_and_up(lab))
    assert check("1.1").outcome is Outcome.NOT_ATTEMPTED


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda lab, task: lab.delete(f"app={task.app}"), "No pod outlived"),
        (lambda lab, task: lab.delete(lab.pods(f"app={task.app}")[0]), "2 pods outlived"),
        (lambda lab, task: None, "nothing was scaled"),
        (lambda lab, task: lab.scale(f"deployment/{task.app}", 1), "end with three pods"),
    ],
)
def test_other_ways_are_refused_with_the_reason(lab, task, wrong, said):
    watch(lab, task, lambda _: wrong(lab, task))
    result = check("1.1")
    assert result.outcome is Outcome.INCORRECT
    assert said in result.reason


def test_somebody_elses_pods_are_refused(lab, task, monkeypatch):
    watch(lab, task, down_and_up(lab))
    monkeypatch.setenv("KUBELAB_SEED", "somebody else")
    assert "not the pods of your task" in check("1.1").reason
