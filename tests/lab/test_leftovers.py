"""What lessons leave makes room: the last three stay, and nothing goes that lessons did not make."""

import pytest

from kubelab.lab import leftovers
from kubelab.lab.leftovers import BEGUN, KEPT, make_room
from kubelab.lab.objects import MANAGED_BY
from kubelab.lab.testing import FakeApi


def namespace(api, name, begun=None, labels=None, made="2026-01-01T00:00:00Z"):
    api.objects[f"/api/v1/namespaces/{name}"] = {
        "metadata": {
            "name": name,
            "labels": {MANAGED_BY: "kubelab"} if labels is None else labels,
            "annotations": {BEGUN: begun} if begun else {},
            "creationTimestamp": made,
        },
        "status": {"phase": "Active"},
    }


@pytest.fixture
def api():
    made = FakeApi()
    for day, name in enumerate(("lesson-1", "task-1", "lesson-2", "lesson-11", "task-2"), 1):
        namespace(made, name, f"2026-02-{day:02}T10:00:00+00:00")
    return made


def names(api):
    return sorted(path.rpartition("/")[2] for path in api.objects if path.startswith("/api/v1/namespaces/"))


def test_the_last_three_stay_beside_the_one_that_begins(api):
    namespace(api, "lesson-3")
    make_room(api, "lesson-3")
    assert names(api) == ["lesson-11", "lesson-2", "lesson-3", "task-2"] and KEPT == 3


def test_one_that_begins_again_is_the_newest(api):
    make_room(api, "lesson-1")
    assert names(api) == ["lesson-1", "lesson-11", "lesson-2", "task-2"]
    namespace(api, "lesson-4")
    make_room(api, "lesson-4")
    assert names(api) == ["lesson-1", "lesson-11", "lesson-4", "task-2"]


def test_what_lies_next_door_stays_and_goes_with_its_lesson(api):
    namespace(api, "lesson-11-neighbours")
    namespace(api, "lesson-1-neighbours", made="2026-03-01T00:00:00Z")
    make_room(api, "task-2")
    assert names(api) == ["lesson-1", "lesson-1-neighbours", "lesson-11", "lesson-11-neighbours", "lesson-2", "task-2"]


def test_what_lessons_did_not_make_stays(api):
    namespace(api, "lesson-7", labels={})
    namespace(api, "mine")
    namespace(api, "lesson-plans")
    make_room(api, "lesson-2")
    assert {"lesson-7", "mine", "lesson-plans"} < set(names(api))


def test_what_a_finalizer_holds_keeps_no_lesson_from_beginning(api, monkeypatch):
    held = api.objects["/api/v1/namespaces/lesson-1"]
    request, asked = FakeApi.request, []

    def holds(self, method, path, *more):
        if method == "DELETE" and path.endswith("/lesson-1"):
            held["metadata"]["deletionTimestamp"] = "2026-02-06T10:00:00Z"
            return held
        asked.append((method, path))
        return request(self, method, path, *more)

    monkeypatch.setattr(FakeApi, "request", holds)
    monkeypatch.setattr(leftovers, "GONE_SECONDS", 0)
    make_room(api, "task-2")
    assert "lesson-1" in names(api)
    asked.clear()
    make_room(api, "task-2")  # what is going already is not waited for again
    assert ("GET", "/api/v1/namespaces/lesson-1") not in asked


def test_a_namespace_of_the_learners_own_begins_without_a_word(api):
    namespace(api, "mine")
    before = names(api)
    make_room(api, "mine")
    assert names(api) == before and api.requests == []
