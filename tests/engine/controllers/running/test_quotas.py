from __future__ import annotations

import pytest

from kubelab.engine.client.errors import ApiError
from kubelab.engine.client.resources import CONFIGMAPS, PODS, RESOURCEQUOTAS, SERVICES


@pytest.fixture
async def cluster(cluster):
    await cluster.watch(RESOURCEQUOTAS)
    return cluster


def pod(name: str, image: str = "agnhost:1") -> dict:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "main", "image": image}]}}


async def limit(cluster, hard: dict, name: str = "q") -> None:
    await cluster.create(RESOURCEQUOTAS, {"metadata": {"name": name}, "spec": {"hard": hard}})


def used(cluster, name: str = "q") -> dict:
    return ((cluster.get(RESOURCEQUOTAS, name) or {}).get("status") or {}).get("used", {})


async def test_a_new_quota_counts_what_is_there_already(cluster) -> None:
    await cluster.create(PODS, pod("a"))
    await limit(cluster, {"pods": "3", "configmaps": "9", "count/services": "1"})
    await cluster.until(lambda: used(cluster) == {"pods": "1", "configmaps": "1", "count/services": "1"})
    status = cluster.get(RESOURCEQUOTAS, "q")["status"]
    assert status["hard"] == {"pods": "3", "configmaps": "9", "count/services": "1"}


async def test_what_is_deleted_is_given_back(cluster) -> None:
    await limit(cluster, {"pods": "1", "configmaps": "2"})
    await cluster.until(lambda: "pods" in used(cluster))
    await cluster.create(PODS, pod("a"))
    with pytest.raises(ApiError, match="exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1"):
        await cluster.create(PODS, pod("b"))
    await cluster.create(CONFIGMAPS, {"metadata": {"name": "c"}})
    await cluster.until(lambda: used(cluster) == {"pods": "1", "configmaps": "2"})
    await cluster.api.delete(PODS, "a", "default")
    await cluster.api.delete(CONFIGMAPS, "c", "default")
    await cluster.until(lambda: used(cluster) == {"pods": "0", "configmaps": "1"})
    await cluster.create(PODS, pod("b"))


async def test_a_pod_that_has_ended_gives_its_place_back_but_is_still_an_object(cluster) -> None:
    await limit(cluster, {"pods": "1", "count/pods": "5"})
    await cluster.until(lambda: "pods" in used(cluster))
    await cluster.create(PODS, pod("a"))
    await cluster.until(lambda: used(cluster) == {"pods": "1", "count/pods": "1"})
    await cluster.api.patch(PODS, "a", {"status": {"phase": "Succeeded"}}, "default", subresource="status")
    await cluster.until(lambda: used(cluster) == {"pods": "0", "count/pods": "1"})


async def test_a_service_that_gives_up_its_node_ports_gives_them_back(cluster) -> None:
    await limit(cluster, {"services.nodeports": "5"})
    await cluster.until(lambda: used(cluster))
    spec = {"type": "NodePort", "ports": [{"port": 80}]}
    await cluster.create(SERVICES, {"metadata": {"name": "web"}, "spec": spec})
    await cluster.until(lambda: used(cluster) == {"services.nodeports": "1"})
    await cluster.change(SERVICES, "web", {"spec": {"type": "ClusterIP"}})
    await cluster.until(lambda: used(cluster) == {"services.nodeports": "0"})


async def test_a_quota_that_allows_more_is_believed_at_once(cluster) -> None:
    await limit(cluster, {"pods": "0"})
    await cluster.until(lambda: used(cluster))
    await cluster.change(RESOURCEQUOTAS, "q", {"spec": {"hard": {"pods": "1"}}})
    await cluster.until(lambda: cluster.get(RESOURCEQUOTAS, "q")["status"]["hard"] == {"pods": "1"})
    await cluster.create(PODS, pod("a"))


async def test_a_deployment_grows_only_as_far_as_the_quota_and_goes_on_when_there_is_room(cluster) -> None:
    await limit(cluster, {"pods": "2"})
    await cluster.until(lambda: used(cluster))
    await cluster.deploy("web", replicas=3)
    await cluster.until(lambda: used(cluster) == {"pods": "2"} and len(cluster.all(PODS)) == 2)
    await cluster.until(lambda: any("exceeded quota: q" in text for text in cluster.events("FailedCreate")))
    await cluster.change(RESOURCEQUOTAS, "q", {"spec": {"hard": {"pods": "5"}}})
    await cluster.until(lambda: cluster.rolled_out("web"))


async def test_what_nothing_is_served_under_is_left_uncounted(cluster) -> None:
    await limit(cluster, {"count/dreams.example.com": "1", "pods": "1"})
    await cluster.until(lambda: used(cluster) == {"pods": "0"})
