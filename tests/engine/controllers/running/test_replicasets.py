from __future__ import annotations

from kubelab.engine.client.resources import PODS, REPLICASETS
from kubelab.engine.controllers.owners import controller_of


async def make_replicaset(cluster, replicas: int, name="rs") -> None:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "agnhost:1"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    await cluster.api.create(REPLICASETS, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})


def available(cluster, name="rs") -> int:
    return ((cluster.get(REPLICASETS, name) or {}).get("status") or {}).get("availableReplicas", 0)


async def test_it_never_makes_a_pod_too_many(cluster):
    made = []
    cluster.informers[PODS].listen(lambda old, new: made.append(new) if old is None else None)
    await make_replicaset(cluster, 60)
    await cluster.until(lambda: available(cluster) == 60)
    assert len(made) == 60


async def test_a_deleted_pod_is_replaced_at_once_though_it_is_still_ending(cluster):
    await make_replicaset(cluster, 2)
    await cluster.until(lambda: available(cluster) == 2)
    cluster.holds_deletions = True
    doomed = cluster.all(PODS)[0]["metadata"]["name"]
    await cluster.api.delete(PODS, doomed, "default")
    await cluster.until(lambda: len(cluster.all(PODS)) == 3 and available(cluster) == 2)
    await cluster.until(lambda: cluster.get(REPLICASETS, "rs")["status"]["terminatingReplicas"] == 1)
    cluster.let_go()
    await cluster.until(lambda: len(cluster.all(PODS)) == 2)
    assert cluster.get(PODS, doomed) is None


async def test_an_orphan_that_matches_is_adopted_and_counts(cluster):
    orphan = {
        "metadata": {"name": "stray", "namespace": "default", "labels": {"app": "rs"}},
        "spec": {"containers": [{"name": "main", "image": "agnhost:1"}]},
    }
    await cluster.api.create(PODS, orphan)
    await make_replicaset(cluster, 2)
    await cluster.until(lambda: available(cluster) == 2)
    assert len(cluster.all(PODS)) == 2
    assert controller_of(cluster.get(PODS, "stray"))["name"] == "rs"


async def test_a_pod_whose_label_is_taken_off_is_let_go_and_replaced(cluster):
    """How one takes a sick pod out of service to look at it."""
    await make_replicaset(cluster, 2)
    await cluster.until(lambda: available(cluster) == 2)
    sick = cluster.all(PODS)[0]["metadata"]["name"]
    await cluster.change(PODS, sick, {"metadata": {"labels": {"app": "sick"}}})
    await cluster.until(lambda: len(cluster.all(PODS)) == 3 and available(cluster) == 2)
    assert controller_of(cluster.get(PODS, sick)) is None


async def test_the_pod_that_is_not_ready_goes_first(cluster):
    await make_replicaset(cluster, 3)
    await cluster.until(lambda: available(cluster) == 3)
    sick = cluster.all(PODS)[1]
    name = sick["metadata"]["name"]
    conditions = [
        {**each, "status": "False"} if each["type"] == "Ready" else each for each in sick["status"]["conditions"]
    ]
    await cluster.api.patch(PODS, name, {"status": {"conditions": conditions}}, "default", subresource="status")
    await cluster.until(lambda: available(cluster) == 2)
    await cluster.change(REPLICASETS, "rs", {"spec": {"replicas": 2}})
    await cluster.until(lambda: len(cluster.all(PODS)) == 2)
    assert cluster.get(PODS, name) is None
    await cluster.until(lambda: cluster.events("SuccessfulDelete") == [f"Deleted pod: {name}"])
