"""WorkshopView: what the browser is given, and what stands without it."""

from __future__ import annotations

import pytest

from kubelab.grading.history import Standing
from kubelab.grading.report import LEARNER_LABEL, SLIP, Report, TaskReport
from kubelab.lab.errors import LabError
from kubelab.widgets import WorkshopView
from kubelab.workshop.access import Access, Address


class Api:
    """Two learners; the second has not begun."""

    def __init__(self):
        tasks = {"1.1": TaskReport(Standing.SOLVED, 1), "1.2": TaskReport(Standing.ATTEMPTED, 3), "2.1": TaskReport()}
        self.reports = {"ada": Report("2027-01-01T12:00:00Z", "1.2", tasks).written(), "grace": ""}
        self.answers = True

    def request(self, method, path, query=None, body=None):
        if not self.answers:
            raise LabError("Nobody answers.")
        if path == "/api/v1/namespaces":
            return {"items": [{"metadata": {"name": f"workshop-{label}", "labels": {LEARNER_LABEL: label}}}
                              for label in self.reports]}  # fmt: skip
        return {"items": [{"metadata": {"name": SLIP, "namespace": f"workshop-{label}"},
                           "data": {"name": label.title(), "progress": report}}
                          for label, report in self.reports.items()]}  # fmt: skip


@pytest.fixture
def api():
    return Api()


@pytest.fixture
def view(api):
    return WorkshopView(access=Access(api, Address("https://cluster.example.test")))


def test_the_browser_is_given_marks_and_what_they_mean(view):
    assert view.lessons == [["1", [["1.1", 1, 0], ["1.2", 0, 1]]], ["2", [["2.1", 0, 0]]]]
    ada, grace = view.seats
    assert (ada["marks"], grace["marks"]) == ("✔!·", "···")
    assert ada["words"] == {"0": "1.1 solved, 1 attempt", "1": "1.2 attempted, 3 attempts"}
    assert (ada["stuck"], grace["where"]) == ("1.2", "")


def test_it_stands_without_a_browser(view):
    bundle, _ = view._repr_mimebundle_()
    assert bundle["text/plain"].startswith("workshop: 2 learners, 1 has begun")
    assert "<table" in bundle["text/html"]


def test_the_page_looks_again_and_says_what_goes_wrong(view, api):
    api.reports["grace"] = api.reports["ada"]
    view.again += 1
    assert view.sentence.startswith("2 learners, 2 have begun")
    api.answers = False
    view.again += 1
    assert (view.problem, view.busy) == ("Nobody answers.", False)
    assert view.sentence.startswith("2 learners, 2 have begun")


def test_a_cluster_is_not_asked_all_the_time(api):
    assert WorkshopView(access=Access(api, Address("")), seconds=0.01).seconds == 2.0
