from __future__ import annotations

import pytest

from kubelab.engine.controllers.clock import parse
from kubelab.engine.controllers.nodes.taints import taints_for

CONTROL_PLANE = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}


def keys(taints) -> list[tuple[str, str]]:
    return [(each["key"].rpartition("/")[2], each["effect"]) for each in taints]


@pytest.mark.parametrize(
    ("ready", "expected"),
    [
        ("True", []),
        ("False", [("not-ready", "NoSchedule"), ("not-ready", "NoExecute")]),
        ("Unknown", [("unreachable", "NoSchedule"), ("unreachable", "NoExecute")]),
    ],
)
def test_taints_follow_readiness_and_others_taints_stay(make, ready, expected):
    node = make.node("a", ready=ready, taints=[CONTROL_PLANE])
    assert keys(taints_for(node, make.now)) == [("control-plane", "NoSchedule"), *expected]


def test_a_taint_that_no_longer_holds_is_taken_off_and_one_that_does_keeps_its_time(make):
    gone = make.node("a", ready="Unknown")
    gone["spec"]["taints"] = taints_for(gone, parse(make.ago(100)))
    assert taints_for(gone, make.now)[0]["timeAdded"] == make.ago(100)
    back = make.node("a", ready="True")
    back["spec"]["taints"] = gone["spec"]["taints"]
    assert taints_for(back, make.now) == []


def test_a_cordoned_node_is_tainted(make):
    assert keys(taints_for(make.node("a", unschedulable=True), make.now)) == [("unschedulable", "NoSchedule")]


def test_nobody_is_evicted_while_no_node_at_all_is_ready(make):
    node = make.node("a", ready="Unknown")
    node["spec"]["taints"] = taints_for(node, make.now)
    assert keys(taints_for(node, make.now, evicts=False)) == [("unreachable", "NoSchedule")]


def test_pressure_on_a_node_keeps_new_pods_away(make):
    node = make.node("a")
    node["status"]["conditions"] += [
        {"type": "DiskPressure", "status": "True"},
        {"type": "PIDPressure", "status": "False"},
    ]
    assert keys(taints_for(node, make.now)) == [("disk-pressure", "NoSchedule")]
