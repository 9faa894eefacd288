from __future__ import annotations

from kubelab.engine.client.resources import PODS
from kubelab.engine.controllers.garbage.graph import Graph, node_of


def test_dependents_are_found_by_the_uid_of_an_owner_that_need_not_be_there(make):
    graph = Graph()
    graph.put(node_of(PODS, make.pod("a", owner="rs")))
    graph.put(node_of(PODS, make.pod("b", owner="rs")))
    assert [node.name for node in graph.dependents("rs")] == ["a", "b"]
    graph.drop("uid-a")
    graph.put(node_of(PODS, make.pod("b", owner="other")))
    assert graph.dependents("rs") == []
    assert [node.name for node in graph.dependents("other")] == ["b"]


def test_an_owner_in_foreground_deletion_is_blocked_by_those_that_say_so(make):
    owner = node_of(PODS, make.pod("o", deleting=True, finalizers=["foregroundDeletion"]))
    assert owner.deletes_dependents_first
    pod = make.pod("a", owner="uid-o")
    assert not owner.is_blocked_by(node_of(PODS, pod))
    pod["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] = True
    assert owner.is_blocked_by(node_of(PODS, pod))
