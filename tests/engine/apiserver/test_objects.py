"""Create, get, update, patch: what every resource shares."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from kubelab.engine.apiserver import ApiServerSettings
from kubelab.engine.apiserver.expiry import EventExpiry
from kubelab.engine.apiserver.resources import EVENTS
from kubelab.engine.apiserver.storage import Store

CM = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


async def test_a_created_object_gets_an_identity(api, clock) -> None:
    made = await api.post(CM, {"metadata": {"name": "a"}, "data": {"k": "v"}})
    meta = made.body["metadata"]
    assert made.code == 201
    assert (made.body["kind"], made.body["apiVersion"]) == ("ConfigMap", "v1")
    assert re.fullmatch(r"[0-9a-f-]{36}", meta["uid"])
    assert meta["creationTimestamp"] == "2026-05-28T20:26:40Z"
    assert meta["namespace"] == "default"
    assert int(meta["resourceVersion"]) > 0
    assert "generation" not in meta


async def test_generate_name_makes_a_new_name_each_time(api) -> None:
    names = {(await api.post(CM, {"metadata": {"generateName": "a-"}})).body["metadata"]["name"] for _ in range(20)}
    assert len(names) == 20
    assert all(re.fullmatch(r"a-[bcdfghjklmnpqrstvwxz2456789]{5}", name) for name in names)


async def test_a_name_is_taken_once(api) -> None:
    await api.post(CM, {"metadata": {"name": "a"}})
    again = await api.post(CM, {"metadata": {"name": "a"}})
    assert again.code == 409
    assert again.body["reason"] == "AlreadyExists"
    assert again.body["message"] == 'configmaps "a" already exists'


async def test_what_is_not_there_is_not_found_in_upstreams_words(api) -> None:
    missing = await api.get(f"{DEPLOYMENTS}/nope")
    assert missing.code == 404
    assert missing.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'deployments.apps "nope" not found',
        "reason": "NotFound",
        "details": {"name": "nope", "group": "apps", "kind": "deployments"},
        "code": 404,
    }


async def test_an_update_from_a_stale_read_is_a_conflict(api) -> None:
    first = (await api.post(CM, {"metadata": {"name": "a"}})).body
    await api.put(f"{CM}/a", {**first, "data": {"k": "1"}})
    stale = await api.put(f"{CM}/a", {**first, "data": {"k": "2"}})
    assert (stale.code, stale.body["reason"]) == (409, "Conflict")
    assert stale.body["message"] == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


async def test_an_update_that_changes_nothing_writes_nothing(api) -> None:
    first = (await api.post(CM, {"metadata": {"name": "a"}, "data": {"k": "v"}})).body
    again = (await api.put(f"{CM}/a", first)).body
    patched = (await api.patch(f"{CM}/a", {"data": {"k": "v"}})).body
    assert again == patched == first


async def test_what_the_server_owns_cannot_be_changed(api) -> None:
    first = (await api.post(CM, {"metadata": {"name": "a"}})).body
    changed = {**first, "metadata": {**first["metadata"], "selfLink": "/elsewhere", "generation": 7}}
    assert (await api.put(f"{CM}/a", changed)).body["metadata"] == first["metadata"]
    other = await api.put(f"{CM}/a", {**first, "metadata": {**first["metadata"], "uid": "other"}})
    assert (other.code, other.body["reason"]) == (409, "Conflict")
    assert "Precondition failed: UID in precondition: other" in other.body["message"]


async def test_the_generation_counts_changes_of_the_spec_only(api, make) -> None:
    made = (await api.post(DEPLOYMENTS, make.deployment(replicas=1))).body
    labelled = (await api.patch(f"{DEPLOYMENTS}/web", {"metadata": {"labels": {"a": "b"}}})).body
    scaled = (await api.patch(f"{DEPLOYMENTS}/web", {"spec": {"replicas": 3}})).body
    reported = (await api.patch(f"{DEPLOYMENTS}/web/status", {"status": {"replicas": 3}})).body
    assert [one["metadata"]["generation"] for one in (made, labelled, scaled, reported)] == [1, 1, 2, 2]


async def test_status_and_spec_are_written_through_different_doors(api, make) -> None:
    await api.post(DEPLOYMENTS, {**make.deployment(replicas=1), "status": {"replicas": 9}})
    both = {"spec": {"replicas": 5}, "status": {"replicas": 2}}
    through_main = (await api.patch(f"{DEPLOYMENTS}/web", both)).body
    assert (through_main["spec"]["replicas"], through_main["status"]) == (5, {})
    both = {"spec": {"replicas": 7}, "status": {"replicas": 2}}
    through_status = (await api.patch(f"{DEPLOYMENTS}/web/status", both)).body
    assert (through_status["spec"]["replicas"], through_status["status"]) == (5, {"replicas": 2})


async def test_a_dry_run_answers_and_keeps_nothing(api, make) -> None:
    made = await api.post("/api/v1/namespaces/default/services?dryRun=All", make.service())
    assert made.code == 201
    assert made.body["spec"]["clusterIP"].startswith("10.96.")
    assert (await api.get("/api/v1/namespaces/default/services/web")).code == 404
    await api.post(CM, {"metadata": {"name": "a"}})
    assert (await api.patch(f"{CM}/a?dryRun=All", {"data": {"k": "v"}})).body["data"] == {"k": "v"}
    assert (await api.delete(f"{CM}/a?dryRun=All")).code == 200
    assert "data" not in (await api.get(f"{CM}/a")).body


async def test_names_and_labels_follow_the_rules(api, why) -> None:
    bad = await api.post(CM, {"metadata": {"name": "Not_OK", "labels": {"a b": "c", "ok": "-"}}})
    assert why(bad) == [("metadata.name", "Invalid"), ("metadata.labels", "Invalid"), ("metadata.labels", "Invalid")]
    assert (
        'ConfigMap "Not_OK" is invalid: [metadata.name: Invalid value: "Not_OK": a lowercase RFC 1123 subdomain'
        in (bad.body["message"])
    )
    assert why(await api.post(CM, {"metadata": {}})) == [("metadata.name", "Required")]


async def test_the_name_in_the_body_must_be_the_name_in_the_url(api) -> None:
    await api.post(CM, {"metadata": {"name": "a"}})
    assert (await api.put(f"{CM}/a", {"metadata": {"name": "b"}})).body["message"] == (
        "the name of the object (b) does not match the name on the URL (a)"
    )
    other = await api.post(CM, {"metadata": {"name": "c", "namespace": "kube-system"}})
    assert other.body["message"] == (
        "the namespace of the provided object does not match the namespace sent on the request"
    )


async def test_frozen_data_stays(api, why) -> None:
    await api.post(CM, {"metadata": {"name": "a"}, "data": {"k": "v"}, "immutable": True})
    assert why(await api.patch(f"{CM}/a", {"data": {"k": "w"}})) == [("data", "Forbidden")]
    assert (await api.patch(f"{CM}/a", {"metadata": {"labels": {"x": "y"}}})).code == 200


async def test_plain_text_of_a_secret_is_stored_encoded(api, why) -> None:
    path = "/api/v1/namespaces/default/secrets"
    made = (await api.post(path, {"metadata": {"name": "s"}, "stringData": {"k": "v"}})).body
    assert (made["data"], made["type"], "stringData" in made) == ({"k": "dg=="}, "Opaque", False)
    tls = {"metadata": {"name": "t"}, "type": "kubernetes.io/tls", "data": {}}
    assert why(await api.post(path, tls)) == [("data[tls.crt]", "Required"), ("data[tls.key]", "Required")]
    assert (await api.post(path, {"metadata": {"name": "u"}, "data": {"k": "%"}})).code == 400


async def test_only_some_resources_are_created_by_put(api, make) -> None:
    assert (await api.put(f"{CM}/new", {"metadata": {"name": "new"}})).code == 404
    lease = "/apis/coordination.k8s.io/v1/namespaces/default/leases/new"
    made = await api.put(lease, {"metadata": {"name": "new"}, "spec": {"holderIdentity": "me"}})
    assert made.code == 201
    assert (await api.put(lease, {**made.body, "spec": {"holderIdentity": "you"}})).code == 200


async def test_a_verb_that_a_resource_lacks_is_refused(api) -> None:
    refused = await api.delete("/api/v1/namespaces")
    assert (refused.code, refused.body["reason"]) == (405, "MethodNotAllowed")
    assert (await api.get("/api/v1/namespaces/default/unheard-of")).code == 404
    assert (await api.get("/apis/nothing.example/v1/things")).code == 404


async def test_both_faces_of_an_event_are_one_object(api) -> None:
    core = "/api/v1/namespaces/default/events"
    new = "/apis/events.k8s.io/v1/namespaces/default/events"
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "web", "namespace": "default"},
        "reason": "Started",
        "message": "it runs",
        "type": "Normal",
    }
    await api.post(core, event)
    seen = (await api.get(f"{new}/e")).body
    assert (seen["apiVersion"], seen["note"], seen["regarding"]["name"]) == ("events.k8s.io/v1", "it runs", "web")
    assert "message" not in seen
    selected = (await api.get(f"{core}?fieldSelector=involvedObject.name=web,reason=Started")).body
    assert [item["metadata"]["name"] for item in selected["items"]] == ["e"]


async def test_events_are_forgotten_after_an_hour(api, clock) -> None:
    path = "/api/v1/namespaces/default/events"
    await api.post(path, {"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "p"}})
    clock.forward(3500)
    assert len((await api.get(path)).body["items"]) == 1
    clock.forward(200)
    assert (await api.get(path)).body["items"] == []


@pytest.mark.parametrize("seconds", [3700, -3700])
async def test_events_stay_an_hour_whatever_the_time_is_set_to(api, clock, seconds) -> None:
    path = "/api/v1/namespaces/default/events"

    async def write(name: str) -> None:
        told = datetime.fromtimestamp(clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        about = {"involvedObject": {"kind": "Pod", "name": "p"}, "lastTimestamp": told}
        assert (await api.post(path, {"metadata": {"name": name}, **about})).code == 201

    async def names() -> list[str]:
        return [item["metadata"]["name"] for item in (await api.get(path)).body["items"]]

    await write("before")
    clock.forward(1800)
    clock.seconds += seconds
    await write("since")
    clock.forward(1700)
    assert await names() == ["before", "since"]
    clock.forward(200)
    assert await names() == ["since"]
    clock.forward(1800)
    assert await names() == []


async def test_an_event_of_an_earlier_engine_is_as_old_as_it_says(tmp_path, clock) -> None:
    key, event = ("default", "e"), {"involvedObject": {"kind": "Pod", "name": "p"}, "metadata": {}}
    event["metadata"] |= {"name": "e", "namespace": "default", "creationTimestamp": "2026-11-23T12:00:00Z"}
    store = Store(tmp_path / "store")
    store.put(EVENTS.storage_key, key, event, "Event", "v1")
    clock.seconds = datetime(2026, 11, 23, 12, 50, tzinfo=UTC).timestamp()
    expiry = EventExpiry(store, ApiServerSettings(clock=clock, steady=clock.steady))
    for seconds, there in ((500, True), (200, False)):
        clock.forward(seconds)
        expiry.sweep()
        assert (store.get(EVENTS.storage_key, key) is not None) == there
    store.close()
