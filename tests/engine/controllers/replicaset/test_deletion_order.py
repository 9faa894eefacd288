from __future__ import annotations

import pytest

from kubelab.engine.controllers.replicaset.deletion_order import to_delete


def first(make, *pods, siblings=None, count=1) -> list[str]:
    return [pod["metadata"]["name"] for pod in to_delete(pods, siblings or pods, count, make.now)]


def test_pods_without_a_node_go_first(make):
    assert first(make, make.pod("placed", phase="Pending", ready=False), make.pod("waiting", node=None)) == ["waiting"]


def test_then_pending_ones_then_those_not_ready(make):
    running, unready = make.pod("running"), make.pod("unready", ready=False)
    pending = make.pod("pending", phase="Pending", ready=False)
    assert first(make, running, unready, pending, count=2) == ["pending", "unready"]


@pytest.mark.parametrize(("cost", "expected"), [("-10", "a"), ("10", "b")])
def test_the_deletion_cost_comes_before_ages(make, cost, expected):
    a = make.pod("a", annotations={"controller.kubernetes.io/pod-deletion-cost": cost}, since=500)
    b = make.pod("b", since=500 if cost == "10" else 5)
    assert first(make, a, b) == [expected]


def test_of_several_on_a_node_one_goes_counting_the_pods_of_its_owners_other_replicasets(make):
    a, b = make.pod("a", node="node-a"), make.pod("b", node="node-b", since=5)
    sibling = make.pod("old", node="node-a")
    assert first(make, a, b, siblings=[a, b, sibling]) == ["a"]


def test_those_ready_for_a_shorter_time_go_and_about_equal_times_count_as_equal(make):
    assert first(make, make.pod("long", since=600), make.pod("short", since=5)) == ["short"]
    assert first(make, make.pod("a", since=600, restarts=1), make.pod("b", since=590)) == ["a"]


def test_the_younger_one_goes_when_all_else_is_equal(make):
    assert first(make, make.pod("old", age=9000), make.pod("young", age=700)) == ["young"]


def test_all_of_them_when_all_are_too_many(make):
    assert first(make, make.pod("a"), make.pod("b"), count=5) == ["a", "b"]
