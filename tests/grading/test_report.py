"""What a learner's kubelab tells the instructor."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from kubelab.course import tasks as course_tasks
from kubelab.grading import Book, Outcome, Result
from kubelab.grading.book import Note
from kubelab.grading.history import Standing
from kubelab.grading.report import KEY, SLIP, WORKSHOP_LABEL, NoReport, Report, Reporter, TaskReport, read, summed_up
from kubelab.lab.errors import LabError
from kubelab.lab.testing import fake_lab

NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)
PATH = f"/api/v1/namespaces/lesson/configmaps/{SLIP}"


@pytest.fixture
def lab():
    """In a workshop: on somebody else's cluster, where a ConfigMap is laid out."""
    lab = fake_lab()
    lab.cluster = type("Existing", (type(lab.cluster),), {"provider": "existing"})()
    lab.api.objects[PATH] = {"metadata": {"name": SLIP, "namespace": "lesson", "resourceVersion": "1",
                                          "labels": {WORKSHOP_LABEL: "class"}},
                             "data": {"host": "ada.lab.example.test"}}  # fmt: skip
    return lab


def note(kind, about, value=None):
    return Note("2027-01-01T11:00:00.000Z", kind, about, value)


NOTES = [
    note("prediction", "1.delete", 2),
    note("observation", "1.delete", 2),
    note("attempt", "1.1", {"outcome": "incorrect"}),
    note("hint", "1.1", 1),
    note("attempt", "1.1", {"outcome": "correct"}),
    note("attempt", "1.2", {"outcome": "incorrect"}),
    note("answer", "somewhere-else", 1),
]


def test_a_book_in_few_words():
    report = summed_up(NOTES, ["1.1", "1.2", "2.1"], ["1.delete", "1.scale"], NOW)
    assert report == Report(
        "2027-01-01T12:00:00Z",
        "1.2",
        {"1.1": TaskReport(Standing.SOLVED, 2, 1), "1.2": TaskReport(Standing.ATTEMPTED, 1), "2.1": TaskReport()},
        1,
        1,
    )
    assert read(report.written()) == report
    assert json.loads(report.written())["tasks"]["2.1"] == {}


def test_a_whole_course_is_small():
    tasks = {f"{lesson}.{at}": TaskReport(Standing.SOLVED, 12, 3, True) for lesson in range(15) for at in range(5)}
    assert len(Report("2027-01-01T12:00:00Z", "14.4", tasks, 60, 40).written()) < 8000


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "no JSON"),
        ("[]", "not the form"),
        ('{"version": 2}', "version 2, this kubelab knows 1"),
        ('{"version": 1}', "not the form"),
        ('{"version":1,"at":"soon","here":"","tasks":{},"predictions":0,"held":0}', "isoformat"),
        ('{"version":1,"at":"2027-01-01T12:00:00Z","here":"","tasks":{"<b>":{}},"predictions":0,"held":0}', "no task"),
        ("x" * 70_000, "70000 letters"),
        ("[" * 60_000, "form|JSON"),
    ],
)
def test_what_is_no_report_is_said_to_be_none(text, why):
    with pytest.raises(NoReport, match=why):
        read(text)


def test_nothing_written_yet_is_a_report_of_nothing():
    assert read("") == Report()


def test_it_is_written_where_the_instructor_looks_and_the_rest_stays(lab):
    Reporter().send(lab, Report("2027-01-01T12:00:00Z", "1.1")).join(10)
    data = lab.api.objects[PATH]["data"]
    assert read(data[KEY]).here == "1.1"
    assert data["host"] == "ada.lab.example.test"


def test_on_a_cluster_of_ones_own_nobody_looks(lab):
    assert Reporter().send(fake_lab(), Report()) is None


@pytest.mark.parametrize("there", [False, True])
def test_without_a_workshop_nothing_is_written_and_nothing_said(lab, there):
    if there:
        lab.api.objects[PATH]["metadata"]["labels"] = {}
    else:
        del lab.api.objects[PATH]
    reporter = Reporter()
    reporter.send(lab, Report("2027-01-01T12:00:00Z")).join(10)
    assert reporter.trouble() == ""
    assert ("PUT", PATH) not in lab.api.requests


def test_that_it_fails_is_said_once(lab, monkeypatch):
    def refuse(*_, **__):
        raise LabError("The API does not answer; run the cell again.")

    monkeypatch.setattr(lab.api, "request", refuse)
    reporter = Reporter()
    for _ in range(2):
        reporter.send(lab, Report("2027-01-01T12:00:00Z")).join(10)
    said = "Your instructor does not see this (The API does not answer); your own book has it."
    assert [reporter.trouble(), reporter.trouble()] == [said, ""]
    reporter.send(lab, Report("2027-01-01T12:00:00Z")).join(10)
    assert reporter.trouble() == ""


def test_every_check_in_a_workshop_reports_what_is_in_the_book(lab, monkeypatch, tmp_path):
    monkeypatch.setenv("KUBELAB_PROGRESS", str(tmp_path))
    sent = []
    monkeypatch.setattr("kubelab.course.reporting.REPORTER.send", lambda lab, report: sent.append(report))
    monkeypatch.setattr("kubelab.course.reporting.REPORTER.trouble", lambda: "Nobody sees this.")
    done = Result("1.1", Outcome.CORRECT, "It is so.")
    chosen = type("Task", (), {"id": "1.1", "check": staticmethod(lambda lab, seed: done)})
    monkeypatch.setattr(course_tasks, "task", lambda id_: chosen)
    assert course_tasks.check("1.1", lab).advice == "Nobody sees this."
    assert sent[0].tasks["1.1"] == TaskReport(Standing.SOLVED, 1)
    assert len(sent[0].tasks) > 10
    assert course_tasks.check("1.1", fake_lab()).advice == ""
    assert len(sent) == 1
    assert len(Book().read("attempt")) == 2
