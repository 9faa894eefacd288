from __future__ import annotations

from datetime import timedelta

from kubelab.engine.client.resources import NODES, PODS
from kubelab.engine.controllers.conditions import find


def ready(obj: dict) -> str:
    return (find(obj["status"].get("conditions"), "Ready") or {}).get("status", "")


async def test_a_pod_that_fits_nowhere_says_why_and_is_placed_when_a_node_is_freed(cluster):
    for node in ("worker", "worker2"):
        await cluster.api.patch(NODES, node, {"spec": {"unschedulable": True}})
    await cluster.until(lambda: all(node["spec"].get("unschedulable") for node in cluster.all(NODES, "")))
    pod = {"metadata": {"name": "solo"}, "spec": {"containers": [{"name": "main", "image": "agnhost:1"}]}}
    await cluster.api.create(PODS, pod, "default")
    await cluster.until(lambda: cluster.events("FailedScheduling"))
    message = (
        "0/2 nodes are available: 2 node(s) were unschedulable. "
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )
    assert cluster.events("FailedScheduling") == [message]
    condition = find(cluster.get(PODS, "solo")["status"]["conditions"], "PodScheduled")
    assert (condition["status"], condition["reason"], condition["message"]) == ("False", "Unschedulable", message)
    await cluster.api.patch(NODES, "worker2", {"spec": {"unschedulable": None}})
    await cluster.until(lambda: cluster.get(PODS, "solo")["spec"].get("nodeName") == "worker2")
    condition = find(cluster.get(PODS, "solo")["status"]["conditions"], "PodScheduled")
    assert condition["status"] == "True"


async def test_a_node_that_falls_silent_is_unknown_and_tainted_and_its_pods_are_not_ready(cluster):
    await cluster.deploy(replicas=2)
    await cluster.until(cluster.rolled_out)
    cluster.clock.ahead += timedelta(seconds=60)
    await cluster.renew_lease("worker2")
    await cluster.api.patch(NODES, "worker", {"metadata": {"labels": {"look": "again"}}})
    await cluster.until(lambda: ready(cluster.get(NODES, "worker", "")) == "Unknown")
    taints = lambda: cluster.get(NODES, "worker", "")["spec"].get("taints", [])  # noqa: E731
    await cluster.until(lambda: {each["key"] for each in taints()} == {"node.kubernetes.io/unreachable"})
    await cluster.until(
        lambda: (
            {pod["spec"]["nodeName"]: ready(pod) for pod in cluster.all(PODS)} == {"worker": "False", "worker2": "True"}
        )
    )
    assert ready(cluster.get(NODES, "worker2", "")) == "True"
    # Pods go elsewhere, and once the node speaks again nothing of it is left.
    await cluster.deploy("api", replicas=2)
    await cluster.until(lambda: cluster.rolled_out("api"))
    placed = {pod["spec"]["nodeName"] for pod in cluster.all(PODS) if pod["metadata"]["labels"]["app"] == "api"}
    assert placed == {"worker2"}
    await cluster.renew_lease("worker")
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-23T12:00:00Z"}
    await cluster.api.patch(NODES, "worker", {"status": {"conditions": [condition]}}, subresource="status")
    await cluster.until(lambda: not taints())


async def test_pods_wait_for_a_node_that_is_ready(cluster):
    for node in ("worker", "worker2"):
        await cluster.api.delete(NODES, node)
    await cluster.add_node("late", ready="False")
    await cluster.deploy(replicas=1)
    await cluster.until(lambda: cluster.events("FailedScheduling"))
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-23T12:00:00Z"}
    await cluster.api.patch(NODES, "late", {"status": {"conditions": [condition]}}, subresource="status")
    await cluster.until(cluster.rolled_out)
