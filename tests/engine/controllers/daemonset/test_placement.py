from __future__ import annotations

import pytest

from kubelab.engine.controllers.daemonset.placement import by_node, daemon_pod, node_of, should_run


def daemonset(make, **spec) -> dict:
    labels = {"app": "agent"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "agnhost"}], **spec}}
    annotations = {"deprecated.daemonset.template.generation": "3"}
    meta = make.meta("agent", generation=3, annotations=annotations)
    return {"metadata": meta, "spec": {"selector": {"matchLabels": labels}, "template": template}}


@pytest.mark.parametrize(
    ("taints", "expected"),
    [
        ([], (True, True)),
        ([{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}], (True, True)),
        ([{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}], (True, True)),
        ([{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}], (False, True)),
        ([{"key": "repair", "effect": "NoExecute"}], (False, False)),
        ([{"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule"}], (False, True)),
    ],
)
def test_a_daemon_stays_through_what_befalls_a_node_and_not_through_what_people_forbid(make, taints, expected):
    assert should_run(daemonset(make), make.node("a", taints=taints)) == expected


def test_on_the_hosts_network_it_does_not_need_the_pods_network(make):
    taints = [{"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule"}]
    assert should_run(daemonset(make, hostNetwork=True), make.node("a", taints=taints)) == (True, True)


def test_a_node_selector_chooses_nodes(make):
    daemons = daemonset(make, nodeSelector={"disk": "ssd"})
    assert should_run(daemons, make.node("a", labels={"disk": "ssd"})) == (True, True)
    assert should_run(daemons, make.node("b")) == (False, False)


def test_the_pod_is_pinned_to_its_node_and_says_its_revision(make):
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{}]}}}
    pod = daemon_pod(daemonset(make, affinity=affinity), "worker", "abc")
    required = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    pin = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["worker"]}]}
    assert required["nodeSelectorTerms"] == [pin]
    assert node_of(pod) == "worker"
    expected = {"app": "agent", "controller-revision-hash": "abc", "pod-template-generation": "3"}
    assert pod["metadata"]["labels"] == expected
    assert len(pod["spec"]["tolerations"]) == 6


def test_pods_are_found_by_the_node_they_are_on_or_wait_for(make):
    waiting = daemon_pod(daemonset(make), "b", "abc")
    waiting["metadata"] |= {"name": "agent-2", "creationTimestamp": make.ago(5)}
    placed = make.pod("agent-1", node="a")
    assert {node: len(pods) for node, pods in by_node([waiting, placed]).items()} == {"a": 1, "b": 1}
