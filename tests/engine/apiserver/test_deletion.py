from __future__ import annotations

import pytest

PODS = "/api/v1/namespaces/default/pods"
CM = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


async def test_deleting_answers_with_success(api, make) -> None:
    made = (await api.post(DEPLOYMENTS, make.deployment())).body
    gone = await api.delete(f"{DEPLOYMENTS}/web")
    assert gone.code == 200
    assert gone.body["status"] == "Success"
    assert gone.body["details"] == {
        "name": "web", "group": "apps", "kind": "deployments", "uid": made["metadata"]["uid"]
    }  # fmt: skip


async def test_some_kinds_answer_with_what_was_deleted(api) -> None:
    quotas = "/api/v1/namespaces/default/resourcequotas"
    await api.post(quotas, {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}})
    assert (await api.delete(f"{quotas}/q")).body["kind"] == "ResourceQuota"


async def test_a_running_pod_is_given_its_grace_period(api, make, clock) -> None:
    await api.post(PODS, make.pod(nodeName="n1"))
    going = (await api.delete(f"{PODS}/web")).body
    assert going["metadata"]["deletionGracePeriodSeconds"] == 30
    assert going["metadata"]["deletionTimestamp"] == "2026-05-28T20:27:10Z"
    assert (await api.get(f"{PODS}/web")).code == 200
    sooner = (await api.delete(f"{PODS}/web", {"gracePeriodSeconds": 5})).body
    assert sooner["metadata"]["deletionGracePeriodSeconds"] == 5
    later = (await api.delete(f"{PODS}/web", {"gracePeriodSeconds": 60})).body
    assert later["metadata"]["deletionGracePeriodSeconds"] == 5
    await api.delete(f"{PODS}/web", {"gracePeriodSeconds": 0, "preconditions": {"uid": going["metadata"]["uid"]}})
    assert (await api.get(f"{PODS}/web")).code == 404


async def test_a_pod_that_no_node_has_goes_at_once(api, make) -> None:
    await api.post(PODS, make.pod())
    assert (await api.delete(f"{PODS}/web")).body["kind"] == "Pod"
    assert (await api.get(f"{PODS}/web")).code == 404


async def test_a_finished_pod_goes_at_once(api, make) -> None:
    await api.post(PODS, make.pod(nodeName="n1"))
    await api.patch(f"{PODS}/web/status", {"status": {"phase": "Succeeded"}})
    await api.delete(f"{PODS}/web")
    assert (await api.get(f"{PODS}/web")).code == 404


async def test_only_the_very_object_that_was_meant_is_deleted(api) -> None:
    await api.post(CM, {"metadata": {"name": "a"}})
    for precondition in ({"uid": "other"}, {"resourceVersion": "1"}):
        refused = await api.delete(f"{CM}/a", {"preconditions": precondition})
        assert (refused.code, refused.body["reason"]) == (409, "Conflict")
        assert "in the precondition" in refused.body["message"]


async def test_a_finalizer_holds_an_object_until_it_is_taken_away(api, why) -> None:
    await api.post(CM, {"metadata": {"name": "a", "finalizers": ["example.com/hold"]}})
    going = await api.delete(f"{CM}/a")
    assert going.body["metadata"]["deletionTimestamp"]
    added = await api.patch(f"{CM}/a", {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}})
    assert set(why(added)) == {("metadata.finalizers", "Forbidden")}
    await api.patch(f"{CM}/a", {"metadata": {"finalizers": None}})
    assert (await api.get(f"{CM}/a")).code == 404


async def test_a_finalizer_without_its_owners_domain_is_refused(api, why) -> None:
    refused = await api.post(CM, {"metadata": {"name": "a", "finalizers": ["hold"]}})
    assert why(refused) == [("metadata.finalizers[0]", "Invalid")]


@pytest.mark.parametrize(
    ("policy", "finalizers"), [("Foreground", ["foregroundDeletion"]), ("Orphan", ["orphan"]), ("Background", None)]
)
async def test_the_propagation_policy_leaves_its_finalizer_to_the_garbage_collector(
    api, make, policy, finalizers
) -> None:
    await api.post(DEPLOYMENTS, make.deployment())
    await api.delete(f"{DEPLOYMENTS}/web", {"propagationPolicy": policy})
    left = await api.get(f"{DEPLOYMENTS}/web")
    if finalizers is None:
        assert left.code == 404
    else:
        assert left.body["metadata"]["finalizers"] == finalizers
        assert left.body["metadata"]["deletionTimestamp"]


async def test_deleting_a_collection_takes_what_is_selected(api) -> None:
    for name in ("a", "b"):
        await api.post(CM, {"metadata": {"name": name, "labels": {"name": name}}})
    gone = (await api.delete(f"{CM}?labelSelector=name=a")).body
    assert [item["metadata"]["name"] for item in gone["items"]] == ["a"]
    assert [item["metadata"]["name"] for item in (await api.get(CM)).body["items"]] == ["b"]


async def test_a_namespace_goes_when_its_controller_has_emptied_it(api) -> None:
    await api.post("/api/v1/namespaces", {"metadata": {"name": "ns"}})
    going = (await api.delete("/api/v1/namespaces/ns")).body
    assert (going["status"]["phase"], going["spec"]["finalizers"]) == ("Terminating", ["kubernetes"])
    refused = await api.post("/api/v1/namespaces/ns/configmaps", {"metadata": {"name": "a"}})
    assert refused.code == 403
    assert refused.body["message"] == (
        'configmaps "a" is forbidden: unable to create new content in namespace ns because it is being terminated'
    )
    assert refused.body["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    await api.put("/api/v1/namespaces/ns/finalize", {**going, "spec": {"finalizers": []}})
    assert (await api.get("/api/v1/namespaces/ns")).code == 404


async def test_what_a_cluster_cannot_do_without_stays_or_comes_back(api) -> None:
    refused = await api.delete("/api/v1/namespaces/kube-system")
    assert (refused.code, refused.body["reason"]) == (403, "Forbidden")
    await api.delete("/api/v1/namespaces/default/services/kubernetes")
    back = (await api.get("/api/v1/namespaces/default/services/kubernetes")).body
    assert back["spec"]["clusterIP"] == "10.96.0.1"


async def test_a_missing_namespace_takes_nothing(api) -> None:
    refused = await api.post("/api/v1/namespaces/nope/configmaps", {"metadata": {"name": "a"}})
    assert (refused.code, refused.body["message"]) == (404, 'namespaces "nope" not found')


async def test_an_evicted_pod_is_deleted(api, make) -> None:
    await api.post(PODS, make.pod(nodeName="n1"))
    assert (await api.post(f"{PODS}/web/eviction", {"metadata": {"name": "web"}})).code == 201
    assert (await api.get(f"{PODS}/web")).body["metadata"]["deletionTimestamp"]
