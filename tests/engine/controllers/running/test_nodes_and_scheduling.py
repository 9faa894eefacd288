from __future__ import annotations

from datetime import timedelta

import pytest

from kubelab.engine.client.resources import ENDPOINTSLICES, NODES, PODS, SERVICES
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


def uids(cluster) -> set[str]:
    return {pod["metadata"]["uid"] for pod in cluster.all(PODS) if not pod["metadata"].get("deletionTimestamp")}


def endpoints(cluster) -> int:
    slices = cluster.all(ENDPOINTSLICES)
    return sum(len(each.get("endpoints") or ()) for each in slices if each["metadata"]["name"].startswith("web-"))


def placed(cluster) -> set[str]:
    return {pod["spec"].get("nodeName") for pod in cluster.all(PODS) if not pod["metadata"].get("deletionTimestamp")}


async def test_pods_of_a_dead_node_are_replaced_when_their_toleration_ends_and_stay_terminating_there(cluster):
    await cluster.deploy(replicas=2)
    await cluster.until(cluster.rolled_out)
    cluster.holds_deletions = True  # nobody on the dead node confirms their end
    cluster.clock.ahead += timedelta(seconds=60)
    await cluster.renew_lease("worker2")
    await cluster.api.patch(NODES, "worker", {"metadata": {"labels": {"look": "again"}}})
    await cluster.until(lambda: cluster.get(NODES, "worker", "")["spec"].get("taints"))
    cluster.clock.ahead += timedelta(seconds=290)
    await cluster.renew_lease("worker2")
    await cluster.api.patch(NODES, "worker", {"metadata": {"labels": {"look": "once-more"}}})
    await cluster.until(lambda: cluster.get(NODES, "worker", "")["metadata"]["labels"]["look"] == "once-more")
    assert placed(cluster) == {"worker", "worker2"}
    cluster.clock.ahead += timedelta(seconds=20)
    await cluster.api.patch(NODES, "worker", {"metadata": {"labels": {"look": "now"}}})
    await cluster.until(lambda: placed(cluster) == {"worker2"} and cluster.rolled_out())
    [gone] = [pod for pod in cluster.all(PODS) if pod["metadata"].get("deletionTimestamp")]
    assert gone["spec"]["nodeName"] == "worker"
    assert find(gone["status"]["conditions"], "DisruptionTarget")["reason"] == "DeletionByTaintManager"
    assert cluster.events("TaintManagerEviction") == [f"Marking for deletion Pod default/{gone['metadata']['name']}"]


async def test_a_noexecute_taint_by_hand_evicts_at_once_and_one_taken_off_in_time_does_not(cluster):
    await cluster.deploy(replicas=2)
    await cluster.until(cluster.rolled_out)
    taint = {"key": "repair", "effect": "NoExecute"}
    await cluster.api.patch(NODES, "worker", {"spec": {"taints": [taint]}})
    await cluster.until(lambda: placed(cluster) == {"worker2"} and cluster.rolled_out())
    toleration = {"key": "repair", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}
    main = {"containers": [{"name": "main", "image": "agnhost:1"}], "nodeName": "worker", "tolerations": [toleration]}
    await cluster.api.create(PODS, {"metadata": {"name": "patient"}, "spec": main}, "default")
    await cluster.until(lambda: ready(cluster.get(PODS, "patient") or {"status": {}}) == "True")
    await cluster.api.patch(NODES, "worker", {"spec": {"taints": None}})
    cancelled = "Cancelling deletion of Pod default/patient"
    await cluster.until(lambda: cancelled in cluster.events("TaintManagerEviction"))
    assert cluster.get(PODS, "patient")


async def test_pods_of_a_node_that_was_deleted_are_taken_away_after_a_while(cluster):
    await cluster.deploy(replicas=2)
    await cluster.until(cluster.rolled_out)
    before = uids(cluster)
    cluster.holds_deletions = True
    service = {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
    await cluster.api.create(SERVICES, service, "default")
    await cluster.until(lambda: endpoints(cluster) == 2)
    await cluster.api.delete(NODES, "worker")
    await cluster.until(lambda: endpoints(cluster) == 1)  # the controllers know
    assert uids(cluster) == before
    cluster.clock.ahead += timedelta(seconds=41)
    [stray] = [pod for pod in cluster.all(PODS) if pod["spec"]["nodeName"] == "worker"]
    await cluster.change(PODS, stray["metadata"]["name"], {"metadata": {"labels": {"look": "again"}}})
    await cluster.until(lambda: placed(cluster) == {"worker2"} and cluster.rolled_out())
    assert cluster.get(PODS, stray["metadata"]["name"]) is None


async def test_pods_of_a_node_that_says_itself_that_it_is_not_ready_are_not_ready(cluster):
    await cluster.deploy(replicas=2)
    await cluster.until(cluster.rolled_out)
    condition = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-23T12:00:00Z"}
    await cluster.api.patch(NODES, "worker", {"status": {"conditions": [condition]}}, subresource="status")
    await cluster.until(
        lambda: (
            {pod["spec"]["nodeName"]: ready(pod) for pod in cluster.all(PODS)} == {"worker": "False", "worker2": "True"}
        )
    )


@pytest.mark.parametrize("hours", [1, -1])
async def test_the_time_being_set_makes_no_node_unready_and_evicts_nobody(cluster, hours):
    toleration = {"key": "repair", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    main = {"containers": [{"name": "main", "image": "agnhost:1"}], "nodeName": "worker", "tolerations": [toleration]}
    await cluster.api.create(PODS, {"metadata": {"name": "patient"}, "spec": main}, "default")
    await cluster.until(lambda: ready(cluster.get(PODS, "patient") or {"status": {}}) == "True")
    await cluster.api.patch(NODES, "worker", {"spec": {"taints": [{"key": "repair", "effect": "NoExecute"}]}})
    await cluster.until(lambda: cluster.get(NODES, "worker", "")["spec"].get("taints"))
    for node in ("worker", "worker2"):
        await cluster.renew_lease(node)
    await look_again(cluster, "before")  # from now on the pod's time runs

    cluster.clock.set_by += timedelta(hours=hours)
    await look_again(cluster, "after")
    assert {ready(node) for node in cluster.all(NODES, "")} == {"True"}
    assert "deletionTimestamp" not in cluster.get(PODS, "patient")["metadata"]

    cluster.clock.ahead += timedelta(seconds=60)  # and a node that falls silent is noticed, as soon as ever
    await cluster.renew_lease("worker2")
    await cluster.change(NODES, "worker", {"metadata": {"labels": {"look": "silent"}}})
    await cluster.until(lambda: ready(cluster.get(NODES, "worker", "")) == "Unknown")
    assert "deletionTimestamp" not in cluster.get(PODS, "patient")["metadata"]
    cluster.clock.ahead += timedelta(seconds=240)
    await cluster.change(PODS, "patient", {"metadata": {"labels": {"look": "late"}}})
    await cluster.until(lambda: cluster.get(PODS, "patient") is None)


async def look_again(cluster, word: str) -> None:
    """Let the controllers look at the nodes and at the pod, and wait until one more Deployment is rolled out."""
    for node in ("worker", "worker2"):
        await cluster.change(NODES, node, {"metadata": {"labels": {"look": word}}})
    await cluster.change(PODS, "patient", {"metadata": {"labels": {"look": word}}})
    await cluster.deploy(word, replicas=1)
    await cluster.until(lambda: cluster.rolled_out(word))
