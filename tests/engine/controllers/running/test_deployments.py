from __future__ import annotations

from collections import Counter
from datetime import timedelta

from kubelab.engine.client.resources import DEPLOYMENTS, PODS, REPLICASETS
from kubelab.engine.controllers.conditions import find
from kubelab.engine.controllers.deployment.revisions import REVISION


def images(cluster) -> Counter:
    return Counter(pod["spec"]["containers"][0]["image"] for pod in cluster.all(PODS))


async def test_a_deployment_becomes_available_pods_on_both_nodes(cluster):
    await cluster.deploy(replicas=2)
    await cluster.until(cluster.rolled_out)
    pods = cluster.all(PODS)
    [replicaset] = cluster.all(REPLICASETS)
    assert sorted(pod["spec"]["nodeName"] for pod in pods) == ["worker", "worker2"]
    name = replicaset["metadata"]["name"]
    assert all(pod["metadata"]["name"].rpartition("-")[0] == name for pod in pods)
    deployment = cluster.get(DEPLOYMENTS, "web")
    assert deployment["metadata"]["annotations"][REVISION] == "1"
    progressing = find(deployment["status"]["conditions"], "Progressing")
    assert (progressing["reason"], progressing["message"]) == (
        "NewReplicaSetAvailable",
        f'ReplicaSet "{name}" has successfully progressed.',
    )
    await cluster.until(lambda: len(cluster.events("SuccessfulCreate")) == 2)
    await cluster.until(lambda: len(cluster.events("Scheduled")) == 2)
    assert cluster.events("ScalingReplicaSet") == [f"Scaled up replica set {name} from 0 to 2"]
    assert sorted(cluster.events("Scheduled")) == sorted(
        f"Successfully assigned default/{pod['metadata']['name']} to {pod['spec']['nodeName']}" for pod in pods
    )


async def test_a_rolling_update_never_has_fewer_ready_pods_nor_more_pods_than_it_may(cluster):
    await cluster.deploy(replicas=4)
    await cluster.until(cluster.rolled_out)
    seen = []

    def look(old, new):
        pods = [pod for pod in cluster.all(PODS) if not pod["metadata"].get("deletionTimestamp")]
        ready = [pod for pod in pods if (find(pod["status"].get("conditions"), "Ready") or {}).get("status") == "True"]
        seen.append((len(pods), len(ready)))

    cluster.informers[PODS].listen(look)
    await cluster.set_image("web", "agnhost:2")
    await cluster.until(lambda: cluster.rolled_out() and images(cluster) == {"agnhost:2": 4})
    assert max(total for total, _ in seen) <= 5
    assert min(ready for _, ready in seen) >= 3


async def test_going_back_uses_the_old_replicaset_again_as_a_new_revision(cluster):
    await cluster.deploy(replicas=1)
    await cluster.until(cluster.rolled_out)
    [first] = [each["metadata"]["name"] for each in cluster.all(REPLICASETS)]
    await cluster.set_image("web", "agnhost:2")
    await cluster.until(lambda: cluster.rolled_out() and images(cluster) == {"agnhost:2": 1})
    await cluster.set_image("web", "agnhost:1")
    await cluster.until(lambda: cluster.rolled_out() and images(cluster) == {"agnhost:1": 1})
    revisions = {
        each["metadata"]["name"]: each["metadata"]["annotations"][REVISION] for each in cluster.all(REPLICASETS)
    }
    assert revisions[first] == "3" and sorted(revisions.values()) == ["2", "3"]
    await cluster.until(lambda: cluster.get(DEPLOYMENTS, "web")["metadata"]["annotations"][REVISION] == "3")


async def test_a_broken_image_stops_the_rollout_and_the_old_pods_go_on(cluster):
    await cluster.deploy(replicas=4, progressDeadlineSeconds=600)
    await cluster.until(cluster.rolled_out)
    await cluster.set_image("web", "broken:1")
    await cluster.until(lambda: images(cluster) == {"agnhost:1": 3, "broken:1": 2})
    await cluster.until(lambda: cluster.get(DEPLOYMENTS, "web")["status"].get("unavailableReplicas") == 2)
    cluster.clock.ahead += timedelta(seconds=700)
    await cluster.change(DEPLOYMENTS, "web", {"metadata": {"annotations": {"look": "again"}}})
    await cluster.until(
        lambda: (
            find(cluster.get(DEPLOYMENTS, "web")["status"]["conditions"], "Progressing")["reason"]
            == "ProgressDeadlineExceeded"
        )
    )
    assert images(cluster) == {"agnhost:1": 3, "broken:1": 2}


async def test_scaling_up_and_down_and_to_none(cluster):
    await cluster.deploy(replicas=1)
    await cluster.until(cluster.rolled_out)
    for size in (5, 2, 0, 3):
        await cluster.change(DEPLOYMENTS, "web", {"spec": {"replicas": size}})
        await cluster.until(lambda size=size: cluster.rolled_out() and len(cluster.all(PODS)) == size)
    assert len(cluster.all(REPLICASETS)) == 1


async def test_recreate_makes_no_new_pod_while_an_old_one_still_runs(cluster):
    await cluster.deploy(replicas=2, strategy={"type": "Recreate"})
    await cluster.until(cluster.rolled_out)
    cluster.holds_deletions = True
    await cluster.set_image("web", "agnhost:2")
    await cluster.until(lambda: all(pod["metadata"].get("deletionTimestamp") for pod in cluster.all(PODS)))
    await cluster.until(lambda: cluster.get(DEPLOYMENTS, "web")["status"].get("terminatingReplicas") == 2)
    assert images(cluster) == {"agnhost:1": 2}
    cluster.let_go()
    await cluster.until(lambda: cluster.rolled_out() and images(cluster) == {"agnhost:2": 2})


async def test_a_paused_deployment_scales_and_does_not_roll(cluster):
    await cluster.deploy(replicas=1)
    await cluster.until(cluster.rolled_out)
    await cluster.change(DEPLOYMENTS, "web", {"spec": {"paused": True}})
    await cluster.set_image("web", "agnhost:2")
    await cluster.change(DEPLOYMENTS, "web", {"spec": {"replicas": 2}})
    await cluster.until(lambda: cluster.get(DEPLOYMENTS, "web")["status"].get("availableReplicas") == 2)
    assert images(cluster) == {"agnhost:1": 2}
    progressing = find(cluster.get(DEPLOYMENTS, "web")["status"]["conditions"], "Progressing")
    assert (progressing["status"], progressing["reason"]) == ("Unknown", "DeploymentPaused")
    await cluster.change(DEPLOYMENTS, "web", {"spec": {"paused": False}})
    await cluster.until(lambda: cluster.rolled_out() and images(cluster) == {"agnhost:2": 2})


async def test_old_replicasets_beyond_the_history_limit_are_cleaned_up(cluster):
    await cluster.deploy(replicas=1, revisionHistoryLimit=1)
    for number in (1, 2, 3):
        await cluster.set_image("web", f"agnhost:{number}")
        await cluster.until(lambda number=number: cluster.rolled_out() and images(cluster) == {f"agnhost:{number}": 1})
    await cluster.until(lambda: len(cluster.all(REPLICASETS)) == 2)


async def test_a_taken_name_is_got_around_by_another_hash(cluster):
    probe = await cluster.deploy("probe", replicas=0, labels={"app": "web"})
    await cluster.until(lambda: cluster.all(REPLICASETS))
    hashed = cluster.all(REPLICASETS)[0]["metadata"]["labels"]["pod-template-hash"]
    template = {**probe["spec"]["template"], "metadata": {"labels": {"app": "thief"}}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "thief"}}, "template": template}
    thief = {"metadata": {"name": f"web-{hashed}", "namespace": "default"}, "spec": spec}
    await cluster.api.create(REPLICASETS, thief)
    await cluster.deploy("web", replicas=1, labels={"app": "web"})
    await cluster.until(lambda: cluster.rolled_out("web"))
    assert cluster.get(DEPLOYMENTS, "web")["status"]["collisionCount"] == 1


async def test_a_rollout_goes_on_where_it_was_when_the_controllers_come_back(cluster):
    await cluster.deploy(replicas=8)
    await cluster.until(cluster.rolled_out)
    for number in range(2, 6):
        await cluster.set_image("web", f"agnhost:{number}")
        await cluster.until(lambda number=number: images(cluster)[f"agnhost:{number}"])
        await cluster.kill_controllers()
        victim = cluster.all(PODS)[0]["metadata"]["name"]
        await cluster.api.delete(PODS, victim, "default", grace_seconds=0)
        cluster.start_controllers()
    await cluster.until(lambda: cluster.rolled_out() and images(cluster) == {"agnhost:5": 8})
