from __future__ import annotations

import pytest

from kubelab.engine.controllers.disruption.budget import Need, need_of, needs_scale, status_of, still_disrupted


def budget(make, status=None, **spec) -> dict:
    return {"metadata": make.meta("web", generation=2), "spec": spec, "status": status or {}}


@pytest.mark.parametrize(
    ("spec", "need"),
    [
        ({"minAvailable": 2}, Need(3, 2)),
        ({"minAvailable": "50%"}, Need(5, 3)),
        ({"maxUnavailable": 1}, Need(5, 4)),
        ({"maxUnavailable": "30%"}, Need(5, 3)),
        ({"maxUnavailable": 9}, Need(5, 0)),
        ({}, Need(3, 1)),
    ],
)
def test_percentages_are_of_what_the_owner_asks_for_and_rounded_up(make, spec, need):
    assert need_of(budget(make, **spec), pods=3, scale=5) == need
    assert needs_scale(budget(make, **spec)) == (need.expected == 5)


def test_only_healthy_pods_that_stay_can_be_spared(make):
    pods = [make.pod("a"), make.pod("b"), make.pod("c", ready=False), make.pod("d", deleting=True), make.pod("e")]
    known = budget(make, {"disruptedPods": {"e": make.ago(10), "d": make.ago(10), "gone": make.ago(10)}})
    status = status_of(known, pods, Need(5, 1), make.now)
    assert (status["currentHealthy"], status["disruptionsAllowed"]) == (2, 1)
    assert status["disruptedPods"] == {"e": make.ago(10)}
    assert status["conditions"][0]["reason"] == "SufficientPods"
    assert status["observedGeneration"] == 2
    short = status_of(known, pods, Need(5, 2), make.now)
    assert short["disruptionsAllowed"] == 0
    assert short["conditions"][0]["reason"] == "InsufficientPods"


def test_an_eviction_that_did_not_happen_is_forgotten_after_two_minutes(make):
    known = budget(make, {"disruptedPods": {"a": make.ago(130)}})
    waiting, late = still_disrupted(known, [make.pod("a")], make.now)
    assert waiting == {}
    assert [pod["metadata"]["name"] for pod in late] == ["a"]


def test_without_pods_nothing_is_allowed(make):
    assert status_of(budget(make), [], Need(0, 0), make.now)["disruptionsAllowed"] == 0
