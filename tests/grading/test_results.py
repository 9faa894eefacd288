import pytest

from kubelab.grading import Evidence, Outcome, Result


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_result_is_true_only_when_it_is_correct(outcome):
    assert bool(Result("1.1", outcome, "because")) == (outcome is Outcome.CORRECT)


def test_a_result_says_what_was_seen_and_hides_the_numbers_of_this_run():
    result = Result("1.1", Outcome.INCORRECT, "because", (Evidence("a", True), Evidence("b", False)), "look", {"n": 1})
    assert repr(result) == "1.1 incorrect: because\n  ✔ a\n  ✖ b\n  → look"


def test_html_escapes_what_came_from_the_cluster():
    assert "<script>" not in Result("1.1", Outcome.INCORRECT, "<script>")._repr_html_()
