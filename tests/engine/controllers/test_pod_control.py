from __future__ import annotations

from kubelab.engine.client.resources import REPLICASETS
from kubelab.engine.controllers.pod_control import pod_of


def test_a_pod_is_made_as_the_template_has_it_and_named_by_the_api(make):
    replicaset = make.replicaset("web-abc", 1)
    pod = pod_of(replicaset, REPLICASETS, replicaset["spec"]["template"])
    assert pod["metadata"]["generateName"] == "web-abc-"
    assert pod["metadata"]["labels"] == {"app": "web", "pod-template-hash": "abc"}
    assert pod["spec"] == replicaset["spec"]["template"]["spec"]
    [owner] = pod["metadata"]["ownerReferences"]
    assert owner == {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "web-abc",
        "uid": "uid-web-abc",
        "controller": True,
        "blockOwnerDeletion": True,
    }
