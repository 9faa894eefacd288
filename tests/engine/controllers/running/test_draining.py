from __future__ import annotations

import pytest

from kubelab.engine.client import ApiError
from kubelab.engine.client.resources import NODES, PODDISRUPTIONBUDGETS, PODS


async def evict(cluster, name: str) -> None:
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "default"}}
    await cluster.api.send("POST", PODS.path("default", name, "eviction"), body=eviction)


def allowed(cluster) -> int:
    return cluster.get(PODDISRUPTIONBUDGETS, "web").get("status", {}).get("disruptionsAllowed", -1)


async def test_a_drained_node_is_empty_and_never_more_pods_are_missing_than_the_budget_allows(cluster):
    await cluster.watch(PODDISRUPTIONBUDGETS)
    await cluster.deploy(replicas=4)
    budget = {"metadata": {"name": "web"}, "spec": {"minAvailable": 3, "selector": {"matchLabels": {"app": "web"}}}}
    await cluster.create(PODDISRUPTIONBUDGETS, budget)
    await cluster.until(lambda: cluster.rolled_out() and allowed(cluster) == 1)
    await cluster.api.patch(NODES, "worker", {"spec": {"unschedulable": True}})
    await cluster.until(lambda: cluster.get(NODES, "worker", "")["spec"].get("taints"))
    first, second = (pod["metadata"]["name"] for pod in cluster.all(PODS) if pod["spec"]["nodeName"] == "worker")
    cluster.holds_deletions = True
    await evict(cluster, first)
    with pytest.raises(ApiError) as refused:
        await evict(cluster, second)
    assert refused.value.code == 429
    cluster.let_go()
    await cluster.until(lambda: cluster.get(PODS, first) is None and allowed(cluster) == 1)
    await evict(cluster, second)
    await cluster.until(lambda: cluster.rolled_out() and allowed(cluster) == 1)
    assert {pod["spec"]["nodeName"] for pod in cluster.all(PODS)} == {"worker2"}
