"""Who is where, as text, as HTML and as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from kubelab.grading.history import Standing
from kubelab.grading.report import Report, TaskReport
from kubelab.workshop.errors import WorkshopError
from kubelab.workshop.picture import ago, html, text
from kubelab.workshop.status import look, natural

NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)
SOLVED = TaskReport(Standing.SOLVED, 2, 1)


@pytest.fixture
def says(cluster):
    """What a learner's ConfigMap says."""

    def say(label, **data):
        slip = cluster.objects[f"/api/v1/namespaces/workshop-{label}/configmaps/kubelab-workshop"]
        slip["data"] |= {key: each.written() if isinstance(each, Report) else each for key, each in data.items()}

    return say


@pytest.fixture
def room(access, made, says):
    tasks = {"1.1": SOLVED, "1.2": TaskReport(Standing.ATTEMPTED, 4), "2.1": TaskReport(), "10.1": TaskReport()}
    says("ada", progress=Report("2027-01-01T11:55:00Z", "1.2", tasks, 3, 2))
    return look(access, "workshop", NOW)


def test_the_room_as_text(room):
    assert text(room) == (
        "workshop: 2 learners, 1 has begun; most are in lesson 1 (1); 1 may want help.\n"
        "lesson        1  2 10\n"
        "Ada Lovelace  ✔! · ·   1.2, 5 min ago\n"
        "Grace Hopper  ·· · ·\n"
        "solved by     0  0 0\n"
        "✔ solved   ✖ tried   ! tried 3 times or more, and is at it   · not begun"
    )


def test_the_room_as_json(room):
    told = json.loads(json.dumps(room.as_json()))
    assert told["tasks"][:2] == [
        {"task": "1.1", "solved": 1, "attempted": 0},
        {"task": "1.2", "solved": 0, "attempted": 1},
    ]
    ada, grace = told["learners"]
    assert (ada["learner"], ada["stuck"], ada["solved"], ada["tasks"]["1.2"]["attempts"]) == ("ada", "1.2", 1, 4)
    assert (grace["at"], grace["here"], grace["tasks"]) == (None, None, {})


def test_before_the_first_report_there_is_no_table(access, made):
    assert text(look(access, "workshop", NOW)) == (
        "workshop: 2 learners, 0 have begun.\nReports come with the learners' first checks."
    )


def test_everybody_is_read_by_two_requests(access, cluster, made):
    del cluster.requests[:]
    look(access, "workshop", NOW)
    assert sorted(cluster.requests) == [("GET", "/api/v1/configmaps"), ("GET", "/api/v1/namespaces")]


def test_who_has_deleted_the_own_configmap_keeps_the_seat(access, cluster, made):
    del cluster.objects["/api/v1/namespaces/workshop-ada/configmaps/kubelab-workshop"]
    ada, grace = look(access, "workshop", NOW).seats
    assert (ada.label, ada.host) == ("ada", "ada.lab.example.test")
    assert "kubelab-workshop is gone, `create` makes it anew" in ada.problem
    assert (grace.label, grace.problem) == ("grace", "")


def test_what_a_learner_has_written_cannot_harm_the_page_or_the_terminal(access, made, says):
    tasks = {"1.1": SOLVED}
    says("ada", name="<script>\x1b[2J\u202eAda" + "x" * 500, progress=Report("2027-01-01T11:00:00Z", "<b>", tasks))
    says("grace", progress='{"version": 1, "at": "soon"}')
    room = look(access, "workshop", NOW)
    assert "<script>" not in html(room)
    assert "<b>," not in html(room)
    assert "\x1b" not in text(room)
    assert "\u202e" not in text(room)
    assert max(map(len, text(room).splitlines())) < 100
    assert "1 report cannot be read" in text(room)


def test_a_configmap_that_a_learner_has_labelled_counts_for_nobody_else(access, cluster, made):
    labels = {"kubelab.dev/workshop": "workshop", "kubelab.dev/learner": "grace"}
    cluster.put("/api/v1/namespaces/workshop-ada/configmaps/another", "ConfigMap", labels, data={"name": "Grace"})
    cluster.put("/api/v1/namespaces/stranger/configmaps/kubelab-workshop", "ConfigMap", labels, data={})
    others = {"kubelab.dev/workshop": "workshop-two", "kubelab.dev/learner": "eve"}
    cluster.put("/api/v1/namespaces/workshop-two-eve", "Namespace", others)
    cluster.put("/api/v1/namespaces/workshop-two-eve/configmaps/kubelab-workshop", "ConfigMap", labels, data={})
    assert [seat.label for seat in look(access, "workshop", NOW).seats] == ["ada", "grace"]


def test_wide_letters_keep_the_columns_in_line(access, made, says):
    says("ada", name="李雷", progress=Report("2027-01-01T12:00:00Z", "1.1", {"1.1": SOLVED}))
    lines = text(look(access, "workshop", NOW)).splitlines()
    assert "李雷          ✔  1.1, now" in lines
    assert "Grace Hopper  ·" in lines


def test_no_workshop_is_an_error_that_says_what_to_do(access):
    with pytest.raises(WorkshopError, match=r"no workshop 'workshop' .* `kubelab workshop create` makes one"):
        look(access, "workshop", NOW)


@pytest.mark.parametrize(("back", "said"), [(5, "now"), (90, "2 min"), (7200, "2 h"), (200_000, "2 d"), (-60, "now")])
def test_how_long_ago(back, said):
    assert ago((NOW - timedelta(seconds=back)).isoformat(), NOW) == said


def test_tasks_sort_as_people_count():
    assert sorted(["10.1", "2.10", "2.9", "1.1"], key=natural) == ["1.1", "2.9", "2.10", "10.1"]
