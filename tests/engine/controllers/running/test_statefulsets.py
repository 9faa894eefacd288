from __future__ import annotations

import pytest

from kubelab.engine.client.resources import ENDPOINTSLICES, PODDISRUPTIONBUDGETS, PODS, SERVICES, STATEFULSETS

LABELS = {"app": "web"}


def stateful(replicas: int, **spec) -> dict:
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "main", "image": "agnhost:1"}]}}
    common = {"serviceName": "web", "selector": {"matchLabels": LABELS}, "template": template}
    return {"metadata": {"name": "web"}, "spec": {**common, "replicas": replicas, **spec}}


@pytest.fixture
async def web(cluster):
    await cluster.watch(STATEFULSETS)
    await cluster.watch(PODDISRUPTIONBUDGETS)
    service = {"metadata": {"name": "web"}, "spec": {"clusterIP": "None", "selector": LABELS, "ports": [{"port": 80}]}}
    await cluster.create(SERVICES, service)
    return cluster


def status(cluster) -> dict:
    statefulset = cluster.get(STATEFULSETS, "web")
    status = statefulset.get("status", {})
    return status if status.get("observedGeneration") == statefulset["metadata"]["generation"] else {}


def images(cluster) -> dict[str, str]:
    return {pod["metadata"]["name"]: pod["spec"]["containers"][0]["image"] for pod in cluster.all(PODS)}


async def test_pods_come_in_order_with_names_of_their_own_under_the_service(web):
    await web.create(STATEFULSETS, stateful(3))
    await web.until(lambda: status(web).get("readyReplicas") == 3)
    created = sorted((pod["metadata"]["resourceVersion"], pod["metadata"]["name"]) for pod in web.all(PODS))
    assert [name for _, name in created] == ["web-0", "web-1", "web-2"]
    pod = web.get(PODS, "web-1")
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("web-1", "web")
    assert pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == "1"
    hostnames = lambda: {  # noqa: E731
        endpoint.get("hostname")
        for each in web.all(ENDPOINTSLICES)
        if each["metadata"]["labels"].get("kubernetes.io/service-name") == "web"
        for endpoint in each["endpoints"]
    }
    await web.until(lambda: hostnames() == {"web-0", "web-1", "web-2"})
    await web.change(STATEFULSETS, "web", {"spec": {"replicas": 1}})
    await web.until(lambda: set(images(web)) == {"web-0"} and status(web).get("replicas") == 1)


async def test_a_partition_holds_the_lower_ones_back(web):
    await web.create(
        STATEFULSETS, stateful(3, updateStrategy={"rollingUpdate": {"partition": 2}, "type": "RollingUpdate"})
    )
    await web.until(lambda: status(web).get("readyReplicas") == 3)
    main = [{"name": "main", "image": "agnhost:2"}]
    await web.change(STATEFULSETS, "web", {"spec": {"template": {"spec": {"containers": main}}}})
    await web.until(lambda: status(web).get("updatedReplicas") == 1 and status(web).get("readyReplicas") == 3)
    assert images(web) == {"web-0": "agnhost:1", "web-1": "agnhost:1", "web-2": "agnhost:2"}
    assert status(web)["currentRevision"] != status(web)["updateRevision"]
    await web.api.delete(PODS, "web-0", "default")
    await web.until(lambda: status(web).get("readyReplicas") == 3 and images(web).get("web-0") == "agnhost:1")
    await web.change(STATEFULSETS, "web", {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}})
    await web.until(lambda: set(images(web).values()) == {"agnhost:2"})
    await web.until(lambda: status(web).get("currentReplicas") == 3)
    assert status(web)["currentRevision"] == status(web)["updateRevision"]


async def test_it_says_that_there_are_no_volumes_to_claim(web):
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    await web.create(STATEFULSETS, stateful(1, volumeClaimTemplates=[claim]))
    await web.until(lambda: web.events("FailedCreate"))
    assert "no volumes to claim" in web.events("FailedCreate")[0]
    assert web.all(PODS) == []


async def test_a_budget_follows_the_pods_of_its_owner(web):
    await web.create(STATEFULSETS, stateful(3))
    budget = {"metadata": {"name": "web"}, "spec": {"maxUnavailable": 1, "selector": {"matchLabels": LABELS}}}
    await web.create(PODDISRUPTIONBUDGETS, budget)
    said = lambda *names: [web.get(PODDISRUPTIONBUDGETS, "web")["status"].get(each) for each in names]  # noqa: E731
    await web.until(lambda: said("disruptionsAllowed", "desiredHealthy", "expectedPods") == [1, 2, 3])
    web.holds_deletions = True
    await web.api.delete(PODS, "web-2", "default")
    await web.until(lambda: said("disruptionsAllowed", "currentHealthy") == [0, 2])


async def test_pods_of_nobody_and_of_owners_without_a_scale_are_said_in_the_budgets_events(web):
    budget = {"metadata": {"name": "web"}, "spec": {"minAvailable": "50%", "selector": {"matchLabels": LABELS}}}
    await web.create(PODDISRUPTIONBUDGETS, budget)
    main = {"containers": [{"name": "main", "image": "agnhost:1"}]}
    await web.create(PODS, {"metadata": {"name": "solo", "labels": LABELS}, "spec": main})
    await web.until(lambda: web.events("UnmanagedPods"))
