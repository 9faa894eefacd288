import pytest

from kubelab.grading import Outcome
from kubelab.grading.book import Note
from kubelab.grading.history import PredictionHistory, Standing, prediction_history, task_history


def notes(*entries, about="1.1"):
    """Entries ``(kind, value)``, a minute after another."""
    return [Note(f"2026-11-23T14:{n:02}:00.000Z", kind, about, value) for n, (kind, value) in enumerate(entries)]


def attempt(outcome):
    return "attempt", {"outcome": outcome}


WRONG, RIGHT = attempt(Outcome.INCORRECT), attempt(Outcome.CORRECT)
UNJUDGED = attempt(Outcome.NOT_ATTEMPTED), attempt(Outcome.CANNOT_CHECK)


def test_a_task_is_open_until_something_could_be_judged():
    history = task_history("1.1", notes(*UNJUDGED))
    assert (history.standing, history.attempts, history.first, history.last) == (Standing.OPEN, 0, None, None)


def test_attempts_count_up_to_the_first_that_is_correct():
    history = task_history("1.1", notes(WRONG, *UNJUDGED, WRONG, RIGHT, WRONG, RIGHT))
    assert (history.standing, history.attempts) == (Standing.SOLVED, 3)


def test_times_are_those_of_what_could_be_judged():
    history = task_history("1.1", notes(UNJUDGED[0], WRONG, RIGHT, WRONG, UNJUDGED[1]))
    assert [moment[14:16] for moment in (history.first, history.solved, history.last)] == ["01", "02", "03"]


def test_what_was_solved_once_stays_solved():
    assert task_history("1.1", notes(RIGHT, WRONG)).standing is Standing.SOLVED
    assert task_history("1.1", notes(WRONG, WRONG)).standing is Standing.ATTEMPTED


def test_other_tasks_do_not_count():
    assert task_history("1.1", notes(RIGHT, about="1.10")).standing is Standing.OPEN


def test_a_finding_was_answered_also_when_the_task_is_begun_again():
    assert task_history("1.1", notes(("answer", None))).answered is None
    assert task_history("1.1", notes(("answer", {"chain": "x"}), ("answer", None))).answered[14:16] == "00"


def test_a_hint_that_is_read_twice_is_one_hint():
    history = task_history("1.1", notes(("hint", 1), ("hint", 2), ("hint", 2), ("solution", True)))
    assert (history.hints, history.solution_shown) == (2, True)


@pytest.mark.parametrize(
    ("entries", "made", "seen", "held"),
    [
        ([], False, False, False),
        ([("prediction", 0)], True, False, False),
        ([("prediction", 3), ("observation", 3)], True, True, True),
        ([("prediction", 3), ("observation", 0)], True, True, False),
    ],
)
def test_a_prediction_is_made_then_seen_then_holds_or_not(entries, made, seen, held):
    history = prediction_history("1.1", notes(*entries))
    assert (history.made, history.seen, history.held) == (made, seen, held)


def test_the_last_prediction_before_the_outcome_counts_and_none_after_it():
    said = [("prediction", 3), ("prediction", 1), ("observation", 0), ("prediction", 0), ("observation", 0)]
    assert prediction_history("1.1", notes(*said)) == PredictionHistory("1.1", 1, 0)


def test_an_outcome_that_came_before_any_prediction_says_nothing():
    assert prediction_history("1.1", notes(("observation", 0), ("prediction", 0))) == PredictionHistory("1.1", 0)
