from __future__ import annotations

import json

import pytest

from kubelab.engine.apiserver import ApiServer, ApiServerSettings

CM = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ("resourceVersionMatch=Exact", "resourceVersionMatch is forbidden unless resourceVersion is provided"),
        ("resourceVersionMatch=Exact&resourceVersion=0", 'resourceVersionMatch "exact" is forbidden for'),
        ("resourceVersionMatch=Exact&resourceVersion=1&continue=a", "is forbidden when continue is provided"),
        ("resourceVersionMatch=Nope&resourceVersion=1", 'supported values: "Exact", "NotOlderThan", ""'),
        ("sendInitialEvents=true", "sendInitialEvents is forbidden for list"),
        ("watch=1&sendInitialEvents=true", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
        ("watch=1&resourceVersionMatch=NotOlderThan", "forbidden for watch unless sendInitialEvents is provided"),
    ],
)
async def test_how_a_list_or_a_watch_is_to_be_read_must_go_together(api, query, refused) -> None:
    answer = await api.get(f"{CM}?{query}")
    assert (answer.code, answer.body["details"]["kind"]) == (422, "ListOptions")
    assert answer.body["message"].startswith('ListOptions.meta.k8s.io "" is invalid: ')
    assert refused in answer.body["message"]


@pytest.mark.parametrize(
    ("method", "query", "kind", "field"),
    [
        ("POST", "dryRun=Some", "CreateOptions", "dryRun"),
        ("POST", "fieldValidation=Hard", "CreateOptions", "fieldValidation"),
        ("PUT", f"fieldManager={'x' * 129}", "UpdateOptions", "fieldManager"),
        ("PATCH", "fieldManager=a\tb", "PatchOptions", "fieldManager"),
        ("PATCH", "force=true", "PatchOptions", "force"),
        ("DELETE", "propagationPolicy=Sideways", "DeleteOptions", "propagationPolicy"),
        ("DELETE", "propagationPolicy=Orphan&orphanDependents=true", "DeleteOptions", "propagationPolicy"),
    ],
)
async def test_parameters_of_a_write_that_cannot_be_meant_change_nothing(api, why, method, query, kind, field) -> None:
    before = (await api.post(CM, {"metadata": {"name": "a"}})).body
    media = "application/merge-patch+json" if method == "PATCH" else "application/json"
    path = CM if method == "POST" else f"{CM}/a"
    body = None if method == "DELETE" else {"metadata": {"name": "b" if method == "POST" else "a"}, "data": {"k": "v"}}
    answer = await api.send(method, f"{path}?{query}", body, media)
    assert (answer.body["details"]["kind"], [field for field, _ in why(answer)]) == (kind, [field])
    assert [item["metadata"]["uid"] for item in (await api.get(CM)).body["items"]] == [before["metadata"]["uid"]]
    assert (await api.get(f"{CM}/a")).body == before


async def test_an_apply_says_who_applies(api, why) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    assert why(await api.patch(f"{CM}/a", config, "apply")) == [("fieldManager", "Required")]
    deployment = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "a"}, "spec": {"replicas": 1}}
    assert why(await api.patch(f"{DEPLOYMENTS}/a/scale", deployment, "apply")) == [("fieldManager", "Required")]


async def test_a_dry_run_that_a_body_asks_for_is_asked_for_in_full(api, why) -> None:
    await api.post(CM, {"metadata": {"name": "a"}})
    assert why(await api.delete(f"{CM}/a", {"dryRun": ["Some"]})) == [("dryRun", "NotSupported")]
    assert (await api.delete(f"{CM}/a", {"dryRun": ["All"]})).code == 200
    assert (await api.get(f"{CM}/a")).code == 200


async def test_any_value_but_false_and_zero_is_true(api) -> None:
    for query in ("watch", "watch=yes"):
        answer = await api.open("GET", f"{CM}?{query}")
        assert not isinstance(answer.body, bytes)
    for query in ("watch=false", "watch=0"):
        assert (await api.get(f"{CM}?{query}")).body["kind"] == "ConfigMapList"


async def test_a_number_that_is_none_is_refused_and_one_below_zero_limits_nothing(api) -> None:
    await api.post(CM, {"metadata": {"name": "a"}})
    for limit in ("x", "9" * 5000):
        assert (await api.get(f"{CM}?limit={limit}")).code == 400
    assert len((await api.get(f"{CM}?limit=-1")).body["items"]) == 1


async def test_what_any_version_may_show_is_shown_whole(api) -> None:
    for name in ("a", "b"):
        await api.post(CM, {"metadata": {"name": name, "labels": {"all": "yes"}}})
    assert len((await api.get(f"{CM}?resourceVersion=0&limit=1")).body["items"]) == 2
    selected = (await api.get(f"{CM}?labelSelector=all=yes&limit=1")).body["metadata"]
    assert "continue" in selected and "remainingItemCount" not in selected


async def test_a_list_whose_beginning_is_forgotten_can_go_on_with_what_is_there(api_of) -> None:
    server = ApiServer.open(":memory:", ApiServerSettings(tokens={"a-token": "kubernetes-admin"}, watch_window=5))
    api = api_of(server)
    for number in range(4):
        await api.post(CM, {"metadata": {"name": f"n{number}"}})
    page = (await api.get(f"{CM}?limit=2")).body["metadata"]["continue"]
    for number in range(4, 12):
        await api.post(CM, {"metadata": {"name": f"n{number}"}})
    expired = await api.get(f"{CM}?limit=2&continue={page}")
    assert (expired.code, expired.body["reason"]) == (410, "Expired")
    rest = await api.get(f"{CM}?continue={expired.body['metadata']['continue']}")
    names = [item["metadata"]["name"] for item in rest.body["items"]]
    assert names == ["n10", "n11", *(f"n{number}" for number in range(2, 10))]
    await server.close()


async def test_a_streamed_list_of_metadata_ends_with_metadata(api) -> None:
    partial = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
    query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    answer = await api.open("GET", f"{CM}?{query}&timeoutSeconds=1", accept=partial)
    bookmark = json.loads(await anext(answer.body))
    assert (bookmark["type"], bookmark["object"]["kind"]) == ("BOOKMARK", "PartialObjectMetadata")
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_only_less_time_can_be_asked_for_and_it_counts_from_the_first_request(api, make, clock) -> None:
    await api.post(PODS, make.pod(nodeName="n1"))
    first = (await api.delete(f"{PODS}/web", {"gracePeriodSeconds": 60})).body["metadata"]
    clock.forward(10)
    again = (await api.delete(f"{PODS}/web")).body["metadata"]
    assert again["deletionTimestamp"] == first["deletionTimestamp"]
    sooner = (await api.delete(f"{PODS}/web", {"gracePeriodSeconds": 30})).body["metadata"]
    assert (sooner["deletionGracePeriodSeconds"], sooner["deletionTimestamp"]) == (30, "2026-05-28T20:27:10Z")
    assert (await api.delete(f"{PODS}/web?gracePeriodSeconds=-5")).body["metadata"]["deletionGracePeriodSeconds"] == 1


async def test_a_scale_is_that_of_the_object_in_the_url(api, make) -> None:
    await api.post(DEPLOYMENTS, make.deployment())
    answer = await api.put(f"{DEPLOYMENTS}/web/scale", {"metadata": {"name": "other"}, "spec": {"replicas": 2}})
    assert answer.code == 400
    answer = await api.put(f"{DEPLOYMENTS}/web/scale", {"metadata": {"name": "web"}, "spec": {"replicas": 2}})
    assert answer.body["spec"] == {"replicas": 2}


async def test_some_kinds_are_only_changed_by_who_says_which_version_they_read(api, why) -> None:
    leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    made = (await api.post(leases, {"metadata": {"name": "a"}, "spec": {}})).body
    refused = await api.put(f"{leases}/a", {"metadata": {"name": "a"}, "spec": {"holderIdentity": "me"}})
    assert why(refused) == [("metadata.resourceVersion", "Invalid")]
    assert refused.body["message"].startswith('leases.coordination.k8s.io "a" is invalid: ')
    assert (await api.put(f"{leases}/a", {**made, "spec": {"holderIdentity": "me"}})).code == 200
    assert (await api.patch(f"{leases}/a", {"spec": {"holderIdentity": "you"}})).code == 200


async def test_what_was_noticed_is_told_with_a_refusal_too(api) -> None:
    refused = await api.post(PODS, {"metadata": {"name": "a"}, "spec": {"containers": []}, "extra": 1})
    assert (refused.code, refused.headers["warning"]) == (422, '299 - "unknown field \\"extra\\""')
    assert (await api.get("/api/v1/namespaces/default/endpoints/none")).headers["warning"].startswith("299 - ")


async def test_when_an_object_was_made_and_goes_is_not_for_clients_to_say(api, why) -> None:
    made = (await api.post(CM, {"metadata": {"name": "a"}})).body
    refused = await api.patch(f"{CM}/a", {"metadata": {"deletionTimestamp": "2020-01-01T00:00:00Z"}})
    assert set(why(refused)) == {("metadata.deletionTimestamp", "Invalid")}
    sent = {"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z"}, "data": {"k": "v"}}
    changed = await api.patch(f"{CM}/a", sent)
    assert changed.body["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]


async def test_what_a_version_does_not_have_is_no_missing_page(api) -> None:
    for path in ("/api/v1/namespaces/default/foos", "/apis/apps/v1/foos"):
        missing = await api.get(path)
        assert (missing.code, missing.body["message"]) == (404, "the server could not find the requested resource")
    for path in ("/apis/nobody.example/v1/foos", "/foos"):
        assert (await api.get(path)).raw == b"404 page not found\n"
