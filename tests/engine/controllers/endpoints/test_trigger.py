from __future__ import annotations

from kubelab.engine.controllers.endpoints.trigger import ANNOTATION, TriggerTimes, triggered


def test_the_earliest_of_what_is_new_is_when_the_change_was_due(make):
    times, service = TriggerTimes(), make.service(labels={})
    service["metadata"]["creationTimestamp"] = make.ago(100)
    first = [make.pod("a", since=50), make.pod("b", since=40)]
    assert times.of(service, first) == make.ago(100)
    assert times.of(service, first) is None
    assert times.of(service, [first[0], make.pod("b", ready=False, since=5), make.pod("c", since=3)]) == make.ago(5)


def test_a_change_of_unknown_cause_takes_the_note_off_and_others_notes_stay(make):
    noted = triggered({"metadata": {"name": "web-1", "annotations": {"mine": "1"}}}, make.ago(5))
    assert noted["metadata"]["annotations"] == {"mine": "1", ANNOTATION: make.ago(5)}
    assert triggered(noted, None)["metadata"]["annotations"] == {"mine": "1"}
    assert "annotations" not in triggered({"metadata": {"name": "web-1"}}, None)["metadata"]
