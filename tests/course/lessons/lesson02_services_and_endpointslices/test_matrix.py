"""The matrix as data, and in its three forms; it is measured on a real cluster in tests/lessons."""

import pytest

from kubelab.course import PredictFirst
from kubelab.course.lessons.lesson02_services_and_endpointslices import behaviour, guess, measure
from kubelab.course.lessons.lesson02_services_and_endpointslices.faults import FAULTS
from kubelab.course.lessons.lesson02_services_and_endpointslices.matrix import Matrix, Signature
from kubelab.lab.errors import LabError


def signature(fault, seen, predicted="refused", healthy=False):
    return Signature(fault, predicted, seen, "an address", "8080", "2 of 2", (healthy,) * 4, 0.002)


MATRIX = Matrix(
    (signature("web", "answered", healthy=True), signature("label-typo", "refused"), signature("only-local", "timeout"))
)


def test_it_says_how_many_came_as_predicted():
    assert MATRIX.sentence == "1 of 3 came as you said"
    assert Matrix((), "only-local needs a second node").sentence.endswith("; only-local needs a second node")


def test_text_and_html_show_every_row_with_a_symbol_and_no_time():
    for shown in (repr(MATRIX), MATRIX._repr_html_()):
        assert all(word in shown for word in ("● ", "✖ ", "◇ ") if "<" not in shown)
        assert all(row.fault in shown and row.seen in shown for row in MATRIX.signatures)
        assert " ms" not in shown


def test_the_picture_has_a_labelled_row_a_fault_and_the_time_of_the_first_request():
    (axes,) = MATRIX.plot().axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["web", "label-typo", "only-local"]
    assert "✖ refused · 2 ms" in {text.get_text() for text in axes.texts}


def test_every_word_that_a_client_may_see_can_be_drawn():
    rows = tuple(signature("web", word) for word in (*behaviour.SEEN, "unreachable"))
    assert len(Matrix(rows).plot().axes[0].patches) == 4 * len(rows)


def test_it_is_not_measured_before_every_row_is_predicted(lab):
    guess(dict.fromkeys(list(FAULTS)[:-1], "refused"))
    with pytest.raises(PredictFirst, match="only-local"):
        measure(lab)


def test_a_guess_for_a_row_that_is_not_there_or_of_a_word_that_cannot_be_is_refused():
    with pytest.raises(LabError, match="no row of the matrix"):
        guess({"wep": "refused"})
    with pytest.raises(LabError, match="none of the choices"):
        guess({"web": "fine"})
