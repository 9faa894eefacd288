"""The judges and the arithmetic of lesson 7 on their own; on a real cluster they are tried in tests/lessons."""

from collections import Counter

import pytest

from kubelab import check, predict
from kubelab.course.lessons.lesson07_the_price_of_ndots import cheap, guess, worked_out
from kubelab.course.lessons.lesson07_the_price_of_ndots.cheap import Measured
from kubelab.course.lessons.lesson07_the_price_of_ndots.cluster_counters import Responses, responses
from kubelab.course.lessons.lesson07_the_price_of_ndots.stage import Question, Questions
from kubelab.course.seed import Seed
from kubelab.grading import Outcome
from kubelab.lab.errors import ApiError, LabError

BOTH = ("api.example.test", "web.here")


@pytest.mark.parametrize(
    ("name", "ndots", "endings", "found_at", "questions"),
    [
        ("web", 5, 3, 1, 2),
        ("web.here", 5, 3, 2, 4),
        ("web.here.svc", 2, 3, 3, 8),
        ("web.here", 1, 3, 2, 6),
        ("api.example.test", 5, 3, None, 8),
        ("api.example.test", 5, 4, None, 10),
        ("api.example.test", 2, 3, None, 2),
        ("api.example.test.", 5, 3, None, 2),
    ],
)
def test_the_price_of_a_name_follows_from_three_lines(name, ndots, endings, found_at, questions):
    assert worked_out.price(name, ndots, endings, found_at) == questions


def test_two_prices_as_counted_are_correct_and_a_wrong_one_is_named():
    assert worked_out.judge(BOTH, [8, 4], [8, 4])
    result = worked_out.judge(BOTH, [8, 6], [8, 4])
    assert result.outcome is Outcome.INCORRECT
    assert result.reason.startswith("web.here costs")


def test_without_both_predictions_nothing_is_counted(lab):
    assert check("7.1").outcome is Outcome.NOT_ATTEMPTED
    predict("7.outside-price", 2)
    assert "7.inside-price" in check("7.1").reason
    predict("7.inside-price", 4)
    assert check("7.1").outcome is Outcome.CANNOT_CHECK
    assert check("7.2").outcome is Outcome.CANNOT_CHECK


def test_two_questions_a_look_up_are_correct_with_a_few_to_spare():
    assert cheap.judge(Measured(True, 400, True))
    assert cheap.judge(Measured(True, cheap.MOST, True))


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (Measured(False, 0, True), "not found any more"),
        (Measured(True, 0, True), "written down by hand"),
        (Measured(True, 1600, True), "still costs 8 questions"),
        (Measured(True, 421, True), "still costs 2 questions"),
        (Measured(True, 400, False), "SERVICE.NAMESPACE is not found"),
    ],
)
def test_what_is_too_dear_or_not_found_is_refused_with_its_reason(measured, said):
    result = cheap.judge(measured)
    assert result.outcome is Outcome.INCORRECT
    assert said in result.reason


def test_what_was_counted_before_is_taken_off():
    before = Questions((Question("a.test", "A", "NOERROR", 3),))
    after = Questions((Question("a.test", "A", "NOERROR", 5), Question("b.test", "A", "NXDOMAIN", 1)))
    since = after.since(before)
    assert (since.total, since.names) == (3, ("a.test", "b.test"))
    assert after.since(after).total == 0


def test_the_share_of_no_such_name_is_of_the_new_responses_only():
    before, after = Responses(Counter(NOERROR=90)), Responses(Counter(NOERROR=91, NXDOMAIN=3))
    assert repr(after - before) == "Responses(NOERROR 1, NXDOMAIN 3: 75 % no such name)"


def test_a_guess_for_a_row_that_is_none_is_refused():
    with pytest.raises(LabError, match="is no row"):
        guess({"webb": 2})


def test_learners_get_names_that_go_out_first_and_names_that_do_not():
    prices = {worked_out.secrets(Seed(str(number)))["outside_price"] for number in range(30)}
    assert 2 in prices
    assert len(prices) > 1


def test_where_the_counters_cannot_be_read_one_sentence_says_so(lab, monkeypatch):
    def refuse(*_):
        raise ApiError(403, "Forbidden", "pods is forbidden")

    monkeypatch.setattr(lab.api, "request", refuse)
    assert repr(responses(lab) - responses(lab)).startswith("Skipped: This cluster does not show the counters")
