"""``metadata.managedFields``: who owns a field after which kind of write."""

from __future__ import annotations

import copy

import pytest

from kubelab.engine.apiserver.ownership.fields import dotted, intersect, paths, subtract, union

CM = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def deployment(**spec) -> dict:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "pause"}]}}
    whole = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": whole}


def config(**data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


def entries(obj: dict) -> dict[tuple[str, str, str], dict]:
    """(manager, operation, subresource) → fields."""
    return {
        (each["manager"], each["operation"], each.get("subresource", "")): each["fieldsV1"]
        for each in obj["metadata"].get("managedFields", [])
    }


def owned(obj: dict, manager: str) -> list[str]:
    [fields] = [fields for (name, _, _), fields in entries(obj).items() if name == manager]
    return [dotted(path) for path in paths(fields)]


async def test_who_creates_owns_what_was_sent_and_its_defaults(api) -> None:
    made = (await api.post(f"{DEPLOYMENTS}?fieldManager=ada", deployment())).body
    assert list(entries(made)) == [("ada", "Update", "")]
    fields = made["metadata"]["managedFields"][0]["fieldsV1"]
    assert {"f:replicas", "f:selector", "f:strategy", "f:revisionHistoryLimit"} <= fields["f:spec"].keys()
    container = fields["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"c"}']
    assert {".", "f:image", "f:imagePullPolicy", "f:name"} <= container.keys()
    assert fields["f:spec"]["f:template"]["f:metadata"]["f:labels"] == {".": {}, "f:app": {}}
    assert fields["f:spec"]["f:selector"] == {}
    assert "f:metadata" not in fields and "f:status" not in fields


async def test_what_the_server_allocates_belongs_to_nobody(api) -> None:
    service = {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    made = (await api.post("/api/v1/namespaces/default/services?fieldManager=ada", service)).body
    assert '.spec.ports[port=80,protocol="TCP"].targetPort' in owned(made, "ada")
    assert not any("clusterIP" in field for field in owned(made, "ada"))


async def test_without_a_field_manager_the_program_that_asks_is_the_manager(api) -> None:
    made = await api.send("POST", CM, config(j="0"), **{"user-agent": "kubectl/v1.36.0 (linux/amd64)"})
    assert made.code == 201
    made = await api.send(
        "PATCH", f"{CM}/a", {"data": {"k": "1"}}, "application/merge-patch+json", **{"user-agent": "curl/8.5"}
    )
    assert entries(made.body)["curl", "Update", ""] == {"f:data": {"f:k": {}}}


async def test_a_patch_takes_the_fields_that_it_changes_and_no_others(api) -> None:
    await api.post(f"{CM}?fieldManager=ada", config(a="1", b="1", c="1"))
    changed = (await api.patch(f"{CM}/a?fieldManager=ben", {"data": {"a": "1", "b": "2", "c": None}})).body
    assert owned(changed, "ada") == [".data", ".data.a"]
    assert owned(changed, "ben") == [".data.b"]


async def test_a_put_that_changes_nothing_changes_no_owner_and_no_version(api) -> None:
    made = (await api.post(f"{CM}?fieldManager=ada", config(a="1"))).body
    assert (await api.put(f"{CM}/a?fieldManager=ben", copy.deepcopy(made))).body == made


async def test_the_status_has_an_entry_of_its_own(api) -> None:
    await api.post(f"{DEPLOYMENTS}?fieldManager=ada", deployment())
    changed = (await api.patch(f"{DEPLOYMENTS}/web/status?fieldManager=ctl", {"status": {"replicas": 1}})).body
    assert entries(changed)["ctl", "Update", "status"] == {"f:status": {"f:replicas": {}}}


async def test_scaling_takes_the_replicas_by_the_subresource(api) -> None:
    await api.patch(f"{DEPLOYMENTS}/web?fieldManager=ada", deployment(), "apply")
    scale = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": "web"}, "spec": {"replicas": 5}}
    assert (await api.put(f"{DEPLOYMENTS}/web/scale?fieldManager=kubectl", scale)).code == 200
    refused = await api.patch(f"{DEPLOYMENTS}/web?fieldManager=ada", deployment(), "apply")
    assert refused.code == 409
    assert refused.body["message"] == (
        'Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas'
    )
    without = deployment()
    del without["spec"]["replicas"]
    given_up = (await api.patch(f"{DEPLOYMENTS}/web?fieldManager=ada", without, "apply")).body
    assert given_up["spec"]["replicas"] == 5


async def test_who_created_by_post_is_in_the_way_of_who_applies_something_else(api) -> None:
    await api.post(f"{CM}?fieldManager=kubectl-create", config(k="1"))
    refused = await api.patch(f"{CM}/a?fieldManager=me", config(k="2"), "apply")
    assert refused.body["message"] == ('Apply failed with 1 conflict: conflict with "kubectl-create" using v1: .data.k')
    forced = (await api.patch(f"{CM}/a?fieldManager=me&force=true", config(k="2"), "apply")).body
    assert ("kubectl-create", "Update", "") not in entries(forced) or ".data.k" not in owned(forced, "kubectl-create")


async def test_several_conflicts_are_told_by_manager(api) -> None:
    await api.post(f"{CM}?fieldManager=ada", config(k="1", l="1", m="1"))
    await api.patch(f"{CM}/a?fieldManager=ben", {"data": {"m": "2"}})
    refused = await api.patch(f"{CM}/a?fieldManager=me", config(k="9", l="9", m="9"), "apply")
    assert refused.body["message"] == (
        "Apply failed with 3 conflicts: "
        'conflicts with "ada" using v1:\n- .data.k\n- .data.l\nconflicts with "ben" using v1:\n- .data.m'
    )


async def test_an_object_that_nobody_tracked_was_there_before_the_first_apply(api) -> None:
    await api.post(CM, config(k="1"))
    cleared = (await api.patch(f"{CM}/a", {"metadata": {"managedFields": [{}]}})).body
    assert "managedFields" not in cleared["metadata"]
    untracked = (await api.patch(f"{CM}/a", {"data": {"l": "1"}})).body
    assert "managedFields" not in untracked["metadata"]
    applied = (await api.patch(f"{CM}/a?fieldManager=me", config(k="1"), "apply")).body
    assert set(entries(applied)) == {("before-first-apply", "Update", ""), ("me", "Apply", "")}


async def test_kubectl_may_turn_its_entry_into_one_that_applies(api) -> None:
    await api.post(f"{CM}?fieldManager=kubectl-client-side-apply", config(k="1", l="1"))
    live = (await api.get(f"{CM}/a")).body
    migrated = [{**live["metadata"]["managedFields"][0], "manager": "kubectl", "operation": "Apply"}]
    patch = [{"op": "replace", "path": "/metadata/managedFields", "value": migrated}]
    assert (await api.patch(f"{CM}/a", patch, "json")).code == 200
    applied = (await api.patch(f"{CM}/a?fieldManager=kubectl", config(k="2"), "apply")).body
    assert applied["data"] == {"k": "2"}


async def test_entries_that_make_no_sense_are_not_taken(api) -> None:
    made = (await api.post(f"{CM}?fieldManager=ada", config(k="1"))).body
    made["metadata"]["managedFields"] = [{"manager": "x", "operation": "Steal"}]
    assert list(entries((await api.put(f"{CM}/a", made)).body)) == [("ada", "Update", "")]


async def test_of_more_than_ten_who_update_the_oldest_are_put_together(api, clock) -> None:
    await api.post(f"{CM}?fieldManager=m0", config(k0="1"))
    for number in range(1, 12):
        clock.forward(1)
        changed = (await api.patch(f"{CM}/a?fieldManager=m{number}", {"data": {f"k{number}": "1"}})).body
    names = [manager for manager, _, _ in entries(changed)]
    assert len(names) == 10 and names[0] == "ancient-changes" and "m11" in names
    assert {".data.k0", ".data.k1"} <= set(owned(changed, "ancient-changes"))


async def test_applying_the_same_again_writes_nothing_not_even_the_time(api, clock) -> None:
    first = (await api.patch(f"{CM}/a?fieldManager=me", config(k="1"), "apply")).body
    clock.forward(60)
    assert (await api.patch(f"{CM}/a?fieldManager=me", config(k="1"), "apply")).body == first


async def test_an_item_that_two_own_stays_with_what_the_other_set(api) -> None:
    def service(**port) -> dict:
        spec = {"ports": [{"port": 80, **port}]}
        return {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "a"}, "spec": spec}

    services = "/api/v1/namespaces/default/services"
    await api.patch(f"{services}/a?fieldManager=me", service(name="web", appProtocol="http"), "apply")
    await api.patch(f"{services}/a?fieldManager=you", service(name="web"), "apply")
    nothing = {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "a"}}
    left = (await api.patch(f"{services}/a?fieldManager=me", nothing, "apply")).body["spec"]["ports"]
    assert [(port["port"], port["name"], "appProtocol" in port) for port in left] == [(80, "web", False)]


async def test_with_its_last_label_the_labels_go(api) -> None:
    labelled = {**config(), "metadata": {"name": "a", "labels": {"x": "1"}}}
    await api.patch(f"{CM}/a?fieldManager=me", labelled, "apply")
    assert "labels" not in (await api.patch(f"{CM}/a?fieldManager=me", config(), "apply")).body["metadata"]


ITEM = 'k:{"name":"c"}'


@pytest.mark.parametrize(
    ("one", "other", "both", "shared", "left"),
    [
        ({}, {"f:a": {}}, {"f:a": {}}, {}, {}),
        ({"f:a": {}}, {"f:a": {}}, {"f:a": {}}, {"f:a": {}}, {}),
        ({"f:a": {".": {}, "f:b": {}}}, {"f:a": {}}, {"f:a": {".": {}, "f:b": {}}}, {"f:a": {}}, {"f:a": {"f:b": {}}}),
        ({"f:a": {"f:b": {}}}, {"f:a": {"f:c": {}}}, {"f:a": {"f:b": {}, "f:c": {}}}, {}, {"f:a": {"f:b": {}}}),
        (
            {"f:a": {ITEM: {".": {}, "f:x": {}}}},
            {"f:a": {ITEM: {"f:x": {}}}},
            {"f:a": {ITEM: {".": {}, "f:x": {}}}},
            {"f:a": {ITEM: {"f:x": {}}}},
            {"f:a": {ITEM: {}}},
        ),
    ],
)
def test_sets_of_fields_are_sets(one, other, both, shared, left) -> None:
    assert union(one, other) == union(other, one) == both
    assert intersect(one, other) == intersect(other, one) == shared
    assert subtract(one, other) == left
