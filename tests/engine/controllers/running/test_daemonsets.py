from __future__ import annotations

import pytest

from kubelab.engine.client.resources import CONTROLLERREVISIONS, DAEMONSETS, NODES, PODS

LABELS = {"app": "agent"}


@pytest.fixture
async def daemons(cluster):
    await cluster.watch(DAEMONSETS)
    await cluster.watch(CONTROLLERREVISIONS)
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "main", "image": "agnhost:1"}]}}
    spec = {"selector": {"matchLabels": LABELS}, "template": template}
    await cluster.create(DAEMONSETS, {"metadata": {"name": "agent"}, "spec": spec})
    await cluster.until(lambda: available(cluster) == 2)
    return cluster


def status(cluster) -> dict:
    daemonset = cluster.get(DAEMONSETS, "agent")
    status = daemonset.get("status", {})
    return status if status.get("observedGeneration") == daemonset["metadata"]["generation"] else {}


def available(cluster) -> int:
    return status(cluster).get("numberAvailable", 0)


def images(cluster) -> dict[str, str]:
    return {pod["spec"].get("nodeName"): pod["spec"]["containers"][0]["image"] for pod in cluster.all(PODS)}


async def test_nodes_that_come_get_a_pod_and_a_taint_sends_it_away(daemons):
    assert set(images(daemons)) == {"worker", "worker2"}
    await daemons.add_node("worker3")
    await daemons.until(lambda: available(daemons) == 3)
    await daemons.api.patch(NODES, "worker3", {"spec": {"taints": [{"key": "repair", "effect": "NoExecute"}]}})
    await daemons.until(lambda: set(images(daemons)) == {"worker", "worker2"})
    await daemons.until(lambda: status(daemons)["desiredNumberScheduled"] == 2)


async def test_a_cordoned_node_keeps_its_daemon_and_gets_it_again(daemons):
    await daemons.api.patch(NODES, "worker", {"spec": {"unschedulable": True}})
    [pod] = [each for each in daemons.all(PODS) if each["spec"]["nodeName"] == "worker"]
    await daemons.api.delete(PODS, pod["metadata"]["name"], "default")
    await daemons.until(
        lambda: any(
            each["spec"].get("nodeName") == "worker" and each["metadata"]["uid"] != pod["metadata"]["uid"]
            for each in daemons.all(PODS)
        )
    )


async def test_a_new_template_rolls_and_leaves_a_revision_to_go_back_to(daemons):
    main = [{"name": "main", "image": "agnhost:2"}]
    await daemons.change(DAEMONSETS, "agent", {"spec": {"template": {"spec": {"containers": main}}}})
    await daemons.until(lambda: status(daemons).get("updatedNumberScheduled") == 2 and available(daemons) == 2)
    assert images(daemons) == {"worker": "agnhost:2", "worker2": "agnhost:2"}
    history = {each["revision"]: each for each in daemons.all(CONTROLLERREVISIONS)}
    first = history[1]["data"]["spec"]["template"]
    assert (sorted(history), first["$patch"]) == ([1, 2], "replace")
    assert first["spec"]["containers"][0]["image"] == "agnhost:1"
    # As `kubectl rollout undo` does it.
    await daemons.api.patch(
        DAEMONSETS, "agent", history[1]["data"], "default", content_type="application/strategic-merge-patch+json"
    )
    await daemons.until(lambda: set(images(daemons).values()) == {"agnhost:1"})
    await daemons.until(lambda: sorted(each["revision"] for each in daemons.all(CONTROLLERREVISIONS)) == [2, 3])


async def test_ondelete_waits_for_people(daemons):
    change = {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}
    main = [{"name": "main", "image": "agnhost:2"}]
    change["template"] = {"spec": {"containers": main}}
    await daemons.change(DAEMONSETS, "agent", {"spec": change})
    await daemons.until(lambda: len(daemons.all(CONTROLLERREVISIONS)) == 2 and available(daemons) == 2)
    [pod] = [each for each in daemons.all(PODS) if each["spec"]["nodeName"] == "worker"]
    await daemons.api.delete(PODS, pod["metadata"]["name"], "default")
    await daemons.until(lambda: images(daemons) == {"worker": "agnhost:2", "worker2": "agnhost:1"})
