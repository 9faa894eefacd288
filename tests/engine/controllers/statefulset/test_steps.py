from __future__ import annotations

import pytest

from kubelab.engine.controllers.statefulset.steps import StatefulPods


@pytest.fixture
def stateful(make):
    """`StatefulPods` of a StatefulSet ``web``; pods as ``{ordinal: revision}``."""

    def made(
        replicas: int, pods: dict, *, policy="OrderedReady", broken=(), deleting=(), failed=(), current="old", **rolling
    ) -> StatefulPods:
        spec = {
            "replicas": replicas,
            "podManagementPolicy": policy,
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
        }
        objects = [
            make.pod(
                f"web-{ordinal}",
                ready=ordinal not in broken,
                deleting=ordinal in deleting,
                phase="Failed" if ordinal in failed else "Running",
                labels={"controller-revision-hash": revision},
            )
            for ordinal, revision in pods.items()
        ]
        return StatefulPods({"metadata": make.meta("web"), "spec": spec}, objects, current, "new", make.now)

    return made


def names(pods) -> list[str]:
    return [pod["metadata"]["name"] for pod in pods]


def test_the_next_is_made_when_all_before_it_are_available(stateful):
    assert stateful(3, {}).keep_up().create == [0]
    assert stateful(3, {0: "new"}, broken={0}).keep_up().create == []
    assert stateful(3, {0: "new"}).keep_up().create == [1]


def test_in_parallel_all_are_made_at_once(stateful):
    assert stateful(3, {1: "new"}, policy="Parallel", broken={1}).keep_up().create == [0, 2]


def test_the_highest_goes_first_and_the_next_when_it_has_gone(stateful):
    three = {0: "new", 1: "new", 2: "new"}
    assert names(stateful(1, three).keep_up().delete) == ["web-2"]
    assert names(stateful(1, three, deleting={2}).keep_up().delete) == []
    assert names(stateful(1, three, policy="Parallel").keep_up().delete) == ["web-2", "web-1"]


def test_a_pod_that_has_ended_makes_room_for_its_next(stateful):
    steps = stateful(2, {0: "new", 1: "new"}, failed={0}).keep_up()
    assert (names(steps.ended), steps.create, steps.delete) == (["web-0"], [], [])


def test_a_rolling_update_goes_from_the_highest_down_and_waits_for_each(stateful):
    assert names(stateful(3, {0: "old", 1: "old", 2: "old"}).roll().delete) == ["web-2"]
    assert names(stateful(3, {0: "old", 1: "old", 2: "new"}, broken={2}).roll().delete) == []
    assert names(stateful(3, {0: "old", 1: "old", 2: "new"}).roll().delete) == ["web-1"]
    assert names(stateful(4, dict.fromkeys(range(4), "old"), maxUnavailable="50%").roll().delete) == ["web-3", "web-2"]


def test_in_order_a_broken_pod_stays_until_somebody_deletes_it(stateful):
    pods = {0: "old", 1: "old"}
    assert names(stateful(2, pods, broken={1}).roll().delete) == []
    assert names(stateful(1, pods, deleting={1}).roll().delete) == []
    assert names(stateful(2, pods, broken={1}, policy="Parallel").roll().delete) == ["web-1"]


def test_below_the_partition_everything_stays_as_it_was(stateful):
    pods = stateful(3, {0: "old", 1: "old", 2: "new"}, partition=2)
    assert not any(pods.roll())
    assert [pods.revision_for(ordinal) for ordinal in range(3)] == ["old", "old", "new"]
    assert not pods.is_rolled_out()


def test_ordinals_may_begin_elsewhere(make):
    spec = {"replicas": 2, "ordinals": {"start": 5}, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {}}}
    pods = StatefulPods({"metadata": make.meta("web"), "spec": spec}, [make.pod("web-5")], "new", "new", make.now)
    assert pods.keep_up().create == [6]
