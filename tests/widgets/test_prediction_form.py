"""PredictionForm: every click is written down, and it stands without a browser."""

from __future__ import annotations

import pytest

from kubelab.lab.errors import LabError
from kubelab.widgets import PredictionForm

ROWS = [("q.1", ("row 1", "Exact /foo"), ("yes", "no")), ("q.2", ("row 2", "<b>"), ("/", "/aaa", "no"))]
CHOSEN = {"q.1": "yes", "q.2": "/aaa"}


@pytest.fixture
def written():
    return []


@pytest.fixture
def form(written):
    return PredictionForm(ROWS, ("row", "rule"), CHOSEN, lambda id_, value: written.append((id_, value)))


def test_what_is_marked_at_first_is_written_down_and_so_is_every_change(form, written):
    assert written == [("q.1", "yes"), ("q.2", "/aaa")]
    form.chosen = {**form.chosen, "q.1": "no"}
    assert written[2:] == [("q.1", "no")]


def test_it_stands_without_a_browser_and_shows_what_is_chosen_now(form):
    form.chosen = {**form.chosen, "q.1": "no"}
    bundle, _ = form._repr_mimebundle_()
    assert bundle["text/plain"].splitlines() == [
        "row    rule        prediction",
        "row 1  Exact /foo  no",
        "row 2  <b>         /aaa",
    ]
    assert "&lt;b&gt;" in bundle["text/html"]
    assert "<b>no</b> of yes, no" in bundle["text/html"]


def test_what_cannot_be_kept_is_said_in_the_form_until_it_can(form, monkeypatch):
    def refuse(id_, value):
        raise LabError("There is no paper.")

    monkeypatch.setattr(form, "_write", refuse)
    form.chosen = {**form.chosen, "q.1": "no"}
    assert form.problem == "There is no paper."
    monkeypatch.setattr(form, "_write", lambda id_, value: None)
    form.chosen = {**form.chosen, "q.1": "yes"}
    assert form.problem == ""


def test_every_row_begins_with_one_of_its_options():
    with pytest.raises(LabError, match="needs one of '/', '/aaa', 'no'"):
        PredictionForm(ROWS, ("row", "rule"), {"q.1": "yes"}, print)
