from __future__ import annotations

import pytest

from kubelab.engine.apiserver.resources import PODS, SERVICES
from kubelab.engine.apiserver.schema import root
from kubelab.engine.apiserver.strategic import strategic_merge

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
CM = "/api/v1/namespaces/default/configmaps"

POD = {
    "metadata": {"labels": {"a": "1", "b": "2"}, "finalizers": ["x", "y"]},
    "spec": {
        "containers": [{"name": "a", "image": "a:1", "args": ["1", "2"]}, {"name": "b", "image": "b:1"}],
        "volumes": [{"name": "v", "emptyDir": {}}],
        "nodeSelector": {"k": "v"},
    },
}


def merged(patch: dict, target: dict = POD) -> dict:
    return strategic_merge(target, patch, root(PODS.schema))


def test_items_merge_by_their_key() -> None:
    made = merged({"spec": {"containers": [{"name": "b", "image": "b:2"}, {"name": "c", "image": "c:1"}]}})
    assert [(one["name"], one["image"]) for one in made["spec"]["containers"]] == [
        ("a", "a:1"),
        ("b", "b:2"),
        ("c", "c:1"),
    ]
    assert made["spec"]["containers"][0]["args"] == ["1", "2"]


def test_a_list_without_a_key_is_replaced() -> None:
    assert merged({"spec": {"containers": [{"name": "a", "args": ["3"]}]}})["spec"]["containers"][0]["args"] == ["3"]


def test_an_item_is_deleted_by_its_key() -> None:
    made = merged({"spec": {"containers": [{"name": "a", "$patch": "delete"}]}})
    assert [one["name"] for one in made["spec"]["containers"]] == ["b"]


def test_a_list_or_a_map_is_replaced_when_told_so() -> None:
    made = merged({"spec": {"containers": [{"name": "z", "image": "z"}, {"$patch": "replace"}]}})
    assert made["spec"]["containers"] == [{"name": "z", "image": "z"}]
    made = merged({"metadata": {"labels": {"$patch": "replace", "c": "3"}}})
    assert made["metadata"]["labels"] == {"c": "3"}


def test_null_takes_a_field_away() -> None:
    made = merged({"metadata": {"labels": {"a": None}}, "spec": {"nodeSelector": None}})
    assert made["metadata"]["labels"] == {"b": "2"}
    assert "nodeSelector" not in made["spec"]


def test_values_are_added_to_and_taken_from_a_set() -> None:
    assert merged({"metadata": {"finalizers": ["z", "x"]}})["metadata"]["finalizers"] == ["x", "y", "z"]
    made = merged({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}})
    assert made["metadata"]["finalizers"] == ["y"]


def test_the_order_can_be_set() -> None:
    order = {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}, {"name": "b"}]}
    made = merged({"spec": {**order, "containers": [{"name": "c", "image": "c"}]}})
    assert [one["name"] for one in made["spec"]["containers"]] == ["c", "a", "b"]


def test_retain_keys_clears_the_other_kinds_of_a_union() -> None:
    volume = {"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "m"}}
    assert merged({"spec": {"volumes": [volume]}})["spec"]["volumes"] == [{"name": "v", "configMap": {"name": "m"}}]


def test_the_ports_of_a_service_merge_by_their_number() -> None:
    target = {"spec": {"ports": [{"port": 80, "targetPort": 1}, {"port": 443, "targetPort": 2}]}}
    made = strategic_merge(target, {"spec": {"ports": [{"port": 443, "targetPort": 3}]}}, root(SERVICES.schema))
    assert made["spec"]["ports"] == [{"port": 80, "targetPort": 1}, {"port": 443, "targetPort": 3}]


def test_the_target_of_a_patch_is_left_alone() -> None:
    before = repr(POD)
    merged({"spec": {"containers": [{"name": "a", "image": "z"}]}, "metadata": {"labels": {"a": None}}})
    assert repr(POD) == before


async def test_json_patches(api) -> None:
    await api.post(CM, {"metadata": {"name": "a"}, "data": {"k": "v"}})
    operations = [
        {"op": "test", "path": "/data/k", "value": "v"},
        {"op": "replace", "path": "/data/k", "value": "w"},
        {"op": "add", "path": "/metadata/labels", "value": {"x": "y"}},
    ]
    made = (await api.patch(f"{CM}/a", operations, "json")).body
    assert (made["data"], made["metadata"]["labels"]) == ({"k": "w"}, {"x": "y"})


@pytest.mark.parametrize(
    ("patch", "kind", "code"),
    [
        ([{"op": "test", "path": "/data/k", "value": "other"}], "json", 422),
        ([{"op": "remove", "path": "/data/nope"}], "json", 422),
        ([{"op": "jump", "path": "/data"}], "json", 400),
        ([{"op": "copy", "from": "", "path": f"/{n}"} for n in range(30)], "json", 413),  # each doubles the object
        ([{"op": "copy", "from": "/data", "path": "/data/x"}] * 700, "json", 422),  # each nests it deeper
        ([{"op": "add"}], "json", 400),
        ([{"op": "add", "path": "data", "value": 1}], "json", 422),
        ([{"op": "replace", "path": "", "value": 5}], "json", 400),
        (["x"], "json", 400),
        ({}, "json", 400),
        ([], "merge", 400),
        (None, "merge", 400),
        (5, "strategic", 400),
        ({"data": 5}, "merge", 422),
        ({"data": {"$patch": "twist"}}, "strategic", 400),
        ({"metadata": {"ownerReferences": [{"name": "no uid"}]}}, "strategic", 400),
        ({"metadata": {"ownerReferences": ["x"]}}, "strategic", 400),
        ({"metadata": {"$setElementOrder/finalizers": 5}}, "strategic", 400),
        ({"$retainKeys": 5}, "strategic", 400),
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": {}}}, "strategic", 400),
        ({"kind": "Pod"}, "merge", 400),
        ({"metadata": {"name": "b"}}, "merge", 400),
        ({"metadata": {"resourceVersion": "1"}}, "merge", 409),
        ({"metadata": None}, "merge", 400),
    ],
)
async def test_a_patch_that_makes_no_sense_is_refused(api, patch, kind, code) -> None:
    await api.post(CM, {"metadata": {"name": "a"}, "data": {"k": "v"}})
    body = b"null" if patch is None else patch
    answer = await api.patch(f"{CM}/a", body, kind)
    assert answer.code == code, answer.raw


async def test_a_json_patch_that_cannot_be_done_does_not_say_more_than_upstream(api) -> None:
    await api.post(CM, {"metadata": {"name": "a"}, "data": {"k": "v"}})
    refused = await api.patch(f"{CM}/a", [{"op": "test", "path": "/data/k", "value": "other"}], "json")
    assert refused.body["message"] == "the server rejected our request due to an error in our request"


async def test_a_patch_of_nothing_is_not_found(api) -> None:
    assert (await api.patch(f"{CM}/nope", {})).code == 404


async def test_a_strategic_patch_through_the_api(api, make) -> None:
    await api.post(DEPLOYMENTS, make.deployment())
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "main", "env": [{"name": "A", "value": "1"}]}]}}}}
    made = (await api.patch(f"{DEPLOYMENTS}/web", patch, "strategic")).body
    container = made["spec"]["template"]["spec"]["containers"][0]
    assert (container["image"], container["env"]) == ("registry/app:1", [{"name": "A", "value": "1"}])
