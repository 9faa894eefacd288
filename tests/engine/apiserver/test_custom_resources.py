"""CustomResourceDefinitions and their objects, by requests."""

from __future__ import annotations

import copy
import json
from typing import Any

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/example.test/v1/namespaces/default/widgets"
SPEC = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1},
        "color": {"type": "string", "enum": ["red", "green"], "default": "red"},
        "ports": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "port": {"x-kubernetes-int-or-string": True}},
            },
        },
        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "note": {"type": "string", "nullable": True},
    },
}
SCHEMA = {"type": "object", "properties": {"spec": SPEC, "status": {"type": "object", "properties": {
    "size": {"type": "integer"}}}}}  # fmt: skip


def definition(plural: str = "widgets", kind: str = "Widget", scope: str = "Namespaced", **version: Any) -> Any:
    first = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}, **version}
    return {
        "metadata": {"name": f"{plural}.example.test"},
        "spec": {"group": "example.test", "scope": scope, "names": {"plural": plural, "kind": kind},
                 "versions": [copy.deepcopy(first)]},
    }  # fmt: skip


def widget(name: str = "one", **spec: Any) -> Any:
    return {"metadata": {"name": name}, "spec": {"size": 3, **spec}}


def conditions(obj: Any) -> dict[str, str]:
    return {one["type"]: one["status"] for one in obj["status"]["conditions"]}


async def test_a_definition_is_served_at_once(api) -> None:
    assert (await api.get(WIDGETS)).code == 404
    assert (await api.post(CRDS, definition())).code == 201
    made = (await api.get(f"{CRDS}/widgets.example.test")).body
    assert conditions(made) == {"NamesAccepted": "True", "Established": "True"}
    assert made["status"]["storedVersions"] == ["v1"]
    assert made["status"]["acceptedNames"]["listKind"] == "WidgetList"
    [group] = [one for one in (await api.get("/apis")).body["groups"] if one["name"] == "example.test"]
    assert group["preferredVersion"]["version"] == "v1"
    [resource] = (await api.get("/apis/example.test/v1")).body["resources"]
    assert (resource["name"], resource["kind"], resource["namespaced"]) == ("widgets", "Widget", True)
    assert (await api.get(WIDGETS)).body["kind"] == "WidgetList"


async def test_objects_are_created_defaulted_changed_and_deleted(api) -> None:
    await api.post(CRDS, definition())
    made = (await api.post(WIDGETS, widget())).body
    assert (made["apiVersion"], made["kind"], made["spec"]) == (
        "example.test/v1", "Widget", {"size": 3, "color": "red"})  # fmt: skip
    assert made["metadata"]["generation"] == 1
    changed = (await api.patch(f"{WIDGETS}/one", {"spec": {"color": "green"}})).body
    assert (changed["spec"]["color"], changed["metadata"]["generation"]) == ("green", 2)
    labelled = (await api.patch(f"{WIDGETS}/one", {"metadata": {"labels": {"a": "b"}}})).body
    assert labelled["metadata"]["generation"] == 2
    assert (await api.get(f"{WIDGETS}?labelSelector=a=b")).code == 200
    assert (await api.patch(f"{WIDGETS}/one", {}, "strategic")).code == 415
    assert (await api.delete(f"{WIDGETS}/one")).code == 200
    assert (await api.get(f"{WIDGETS}/one")).code == 404


async def test_a_cluster_scoped_kind_has_no_namespace(api) -> None:
    await api.post(CRDS, definition(scope="Cluster"))
    made = (await api.post("/apis/example.test/v1/widgets", widget())).body
    assert "namespace" not in made["metadata"]
    assert (await api.get(WIDGETS)).code == 404
    assert (await api.get("/apis/example.test/v1/widgets/one")).code == 200


async def test_the_status_is_a_thing_of_its_own_when_the_definition_says_so(api) -> None:
    await api.post(CRDS, definition(subresources={"status": {}}))
    made = (await api.post(WIDGETS, {**widget(), "status": {"size": 1}})).body
    assert "status" not in made
    ignored = await api.patch(f"{WIDGETS}/one", {"status": {"size": 1}})
    assert "status" not in ignored.body
    patch = {"status": {"size": 2}, "spec": {"size": 9}, "metadata": {"labels": {"a": "b"}}}
    changed = (await api.patch(f"{WIDGETS}/one/status", patch)).body
    assert (changed["status"], changed["spec"]["size"]) == ({"size": 2}, 3)
    assert (changed["metadata"]["generation"], "labels" in changed["metadata"]) == (1, False)
    await api.post(CRDS, definition("gears", "Gear"))
    assert (await api.patch(WIDGETS.replace("widgets", "gears") + "/one/status", {})).code == 404


async def test_changes_are_watched(api) -> None:
    await api.post(CRDS, definition())
    stream = await api.open("GET", f"{WIDGETS}?watch=1&timeoutSeconds=30")
    await api.post(WIDGETS, widget())
    await api.delete(f"{WIDGETS}/one")
    await api.delete(f"{CRDS}/widgets.example.test")
    lines = [json.loads(line) for chunk in [part async for part in stream.body] for line in chunk.splitlines()]
    assert [(line["type"], line["object"]["kind"]) for line in lines] == [("ADDED", "Widget"), ("DELETED", "Widget")]
