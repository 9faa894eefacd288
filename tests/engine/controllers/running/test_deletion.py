from __future__ import annotations

from kubelab.engine.client.resources import (
    CONFIGMAPS,
    DEPLOYMENTS,
    NAMESPACES,
    PODS,
    REPLICASETS,
    SERVICEACCOUNTS,
)
from kubelab.engine.controllers.conditions import find


async def test_in_the_background_the_owner_goes_first_and_everything_below_follows(cluster):
    await cluster.deploy(replicas=2)
    await cluster.until(cluster.rolled_out)
    await cluster.api.delete(DEPLOYMENTS, "web", "default", propagation="Background")
    await cluster.until(lambda: not cluster.all(PODS) and not cluster.all(REPLICASETS))


async def test_in_the_foreground_the_owner_waits_for_the_last_pod(cluster):
    await cluster.deploy(replicas=2)
    await cluster.until(cluster.rolled_out)
    cluster.holds_deletions = True
    await cluster.api.delete(DEPLOYMENTS, "web", "default", propagation="Foreground")
    await cluster.until(lambda: all(pod["metadata"].get("deletionTimestamp") for pod in cluster.all(PODS)))
    assert cluster.get(DEPLOYMENTS, "web") is not None and len(cluster.all(PODS)) == 2
    gone = []
    for resource in (DEPLOYMENTS, REPLICASETS, PODS):
        cluster.informers[resource].listen(
            lambda old, new, kind=resource.kind: gone.append(kind) if new is None else None
        )
    cluster.let_go()
    await cluster.until(lambda: cluster.get(DEPLOYMENTS, "web") is None)
    assert gone == ["Pod", "Pod", "ReplicaSet", "Deployment"]


async def test_orphaned_pods_stay_and_have_no_owner_any_more(cluster):
    await cluster.deploy(replicas=2)
    await cluster.until(cluster.rolled_out)
    await cluster.api.delete(DEPLOYMENTS, "web", "default", propagation="Orphan")
    await cluster.until(lambda: cluster.get(DEPLOYMENTS, "web") is None)
    [replicaset] = cluster.all(REPLICASETS)
    assert not replicaset["metadata"].get("ownerReferences")
    assert len(cluster.all(PODS)) == 2


async def test_an_object_whose_owner_never_was_is_collected(cluster):
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": "no-such-uid"}
    meta = {"name": "lost", "namespace": "default", "ownerReferences": [owner]}
    gone = []
    cluster.informers[CONFIGMAPS].listen(lambda old, new: gone.append(old["metadata"]["name"]) if new is None else None)
    await cluster.api.create(CONFIGMAPS, {"metadata": meta})
    await cluster.until(lambda: gone == ["lost"])


async def test_a_namespace_is_born_with_its_account_and_certificate_and_gets_them_back(cluster):
    await cluster.api.create(NAMESPACES, {"metadata": {"name": "shop"}})
    await cluster.until(lambda: cluster.get(SERVICEACCOUNTS, "default", "shop"))
    await cluster.until(lambda: cluster.get(CONFIGMAPS, "kube-root-ca.crt", "shop"))
    assert cluster.get(CONFIGMAPS, "kube-root-ca.crt", "shop")["data"] == {"ca.crt": "PEM"}
    await cluster.api.patch(CONFIGMAPS, "kube-root-ca.crt", {"data": {"ca.crt": "forged"}}, "shop")
    await cluster.until(lambda: cluster.get(CONFIGMAPS, "kube-root-ca.crt", "shop")["data"] == {"ca.crt": "PEM"})
    old = cluster.get(SERVICEACCOUNTS, "default", "shop")["metadata"]["uid"]
    await cluster.api.delete(SERVICEACCOUNTS, "default", "shop")
    await cluster.until(
        lambda: (
            (cluster.get(SERVICEACCOUNTS, "default", "shop") or {"metadata": {"uid": old}})["metadata"]["uid"] != old
        )
    )


async def test_a_deleted_namespace_is_emptied_says_what_it_waits_for_and_goes(cluster):
    await cluster.api.create(NAMESPACES, {"metadata": {"name": "shop"}})
    await cluster.until(lambda: cluster.get(SERVICEACCOUNTS, "default", "shop"))
    await cluster.api.create(
        PODS,
        {
            "metadata": {"name": "solo", "namespace": "shop"},
            "spec": {"containers": [{"name": "main", "image": "agnhost:1"}]},
        },
    )
    await cluster.until(lambda: [pod for pod in cluster.all(PODS, "shop") if pod["spec"].get("nodeName")])
    cluster.holds_deletions = True
    await cluster.api.delete(NAMESPACES, "shop")

    def waits_for_the_pod() -> bool:
        conditions = cluster.get(NAMESPACES, "shop", "")["status"].get("conditions")
        remaining = find(conditions, "NamespaceContentRemaining")
        return remaining is not None and remaining["status"] == "True" and "pods. has 1" in remaining["message"]

    await cluster.until(waits_for_the_pod)
    assert cluster.all(CONFIGMAPS, "shop"), "what the pod may need stays as long as the pod"
    cluster.holds_deletions = False
    await cluster.api.delete(PODS, "solo", "shop", grace_seconds=0)
    await cluster.until(lambda: cluster.get(NAMESPACES, "shop", "") is None)
    assert not cluster.all(CONFIGMAPS, "shop") and not cluster.all(SERVICEACCOUNTS, "shop")
