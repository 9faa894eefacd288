"""CustomResourceDefinitions and their objects, by requests."""

from __future__ import annotations

import copy
import json
from typing import Any

from kubelab.engine.apiserver import ApiServer, ApiServerSettings

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
    return {"apiVersion": "example.test/v1", "kind": "Widget", "metadata": {"name": name}, "spec": {"size": 3, **spec}}


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


async def test_what_a_schema_does_not_know_is_refused_warned_of_or_dropped(api) -> None:
    await api.post(CRDS, definition())
    body = widget(colour="red", open={"any": {"thing": 1}})
    strict = await api.post(f"{WIDGETS}?fieldValidation=Strict", body)
    assert (strict.code, strict.body["message"]) == (
        400,
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.colour"',
    )
    warned = await api.post(WIDGETS, body)
    assert warned.headers["warning"] == '299 - "unknown field \\"spec.colour\\""'
    assert warned.body["spec"] == {"size": 3, "color": "red", "open": {"any": {"thing": 1}}}
    ignored = await api.post(f"{WIDGETS}?fieldValidation=Ignore", {**body, "metadata": {"name": "two"}})
    assert "warning" not in ignored.headers


async def test_what_is_of_another_type_is_refused_and_never_fails(api, why) -> None:
    await api.post(CRDS, definition())
    assert (await api.post(WIDGETS, {**widget(), "metadata": 3})).code == 400
    assert why(await api.post(WIDGETS, {**widget(), "spec": "big"})) == [("spec", "TypeInvalid")]
    for number in (b"9" * 5000, b"1e999"):
        assert (await api.post(WIDGETS, b'{"metadata": {"name": "a"}, "spec": {"size": %s}}' % number)).code == 400
    assert why(await api.post(WIDGETS, widget(size=10**30))) == [("spec.size", "TypeInvalid"), ("<nil>", "Invalid")]
    applied = {"apiVersion": "example.test/v1", "kind": "Widget", **widget(ports=[1])}
    answer = await api.patch(f"{WIDGETS}/one?fieldManager=a", applied, "apply")
    assert answer.body["message"].endswith(
        ".spec.ports: element 0: associative list with keys may not have non-map elements"
    )


async def test_nulls_stay_only_where_they_may(api) -> None:
    await api.post(CRDS, definition())
    made = (await api.post(WIDGETS, widget(note=None, color=None, ports=None))).body
    assert made["spec"] == {"size": 3, "note": None, "color": "red"}


async def test_a_version_is_a_view_of_the_stored_object(api) -> None:
    crd = definition()
    second = {**copy.deepcopy(crd["spec"]["versions"][0]), "name": "v1beta1", "storage": False, "deprecated": True}
    second["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["color"]["default"] = "green"
    crd["spec"]["versions"].insert(0, second)
    assert (await api.post(CRDS, crd)).code == 201
    older = WIDGETS.replace("v1", "v1beta1")
    made = await api.post(older, {**widget(), "apiVersion": "example.test/v1beta1"})
    assert (made.body["apiVersion"], made.body["spec"]["color"]) == ("example.test/v1beta1", "green")
    assert made.headers["warning"] == '299 - "example.test/v1beta1 Widget is deprecated"'
    assert (await api.get(f"{WIDGETS}/one")).body["apiVersion"] == "example.test/v1"
    [item] = (await api.get(older)).body["items"]
    assert item["apiVersion"] == "example.test/v1beta1"
    [group] = [one for one in (await api.get("/apis")).body["groups"] if one["name"] == "example.test"]
    assert [one["version"] for one in group["versions"]] == ["v1", "v1beta1"]


async def test_a_changed_schema_takes_effect_at_once_and_spares_what_has_not_changed(api, why) -> None:
    await api.post(CRDS, definition())
    await api.post(WIDGETS, widget(size=1))
    path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/size/minimum"
    changed = await api.patch(f"{CRDS}/widgets.example.test", [{"op": "replace", "path": path, "value": 2}], "json")
    assert changed.body["metadata"]["generation"] == 2
    assert why(await api.post(WIDGETS, widget("two", size=1))) == [("spec.size", "Invalid")]
    assert (await api.patch(f"{WIDGETS}/one", {"spec": {"color": "green"}})).code == 200
    assert why(await api.patch(f"{WIDGETS}/one", {"spec": {"size": 0}})) == [("spec.size", "Invalid")]


async def test_applied_lists_merge_by_their_keys(api) -> None:
    await api.post(CRDS, definition())

    async def apply(manager: str, **spec: Any) -> Any:
        body = {"apiVersion": "example.test/v1", "kind": "Widget", **widget(**spec)}
        return await api.patch(f"{WIDGETS}/one?fieldManager={manager}", body, "apply")

    assert (await apply("a", ports=[{"name": "http", "port": 80}])).code == 201
    both = (await apply("b", ports=[{"name": "https", "port": "tls"}])).body
    assert both["spec"]["ports"] == [{"name": "http", "port": 80}, {"name": "https", "port": "tls"}]
    assert (await apply("b", ports=[{"name": "http", "port": 81}])).code == 409
    assert (await apply("b")).body["spec"]["ports"] == [{"name": "http", "port": 80}]


async def test_a_definition_takes_its_objects_along_and_waits_for_their_finalizers(api) -> None:
    await api.post(CRDS, definition())
    kept = widget("kept")
    kept["metadata"]["finalizers"] = ["example.test/wait"]
    await api.post(WIDGETS, widget())
    await api.post(WIDGETS, kept)
    assert (await api.delete(f"{CRDS}/widgets.example.test")).code == 200
    waiting = (await api.get(f"{CRDS}/widgets.example.test")).body
    assert waiting["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    assert conditions(waiting)["Terminating"] == "True"
    assert [one["metadata"]["name"] for one in (await api.get(WIDGETS)).body["items"]] == ["kept"]
    refused = await api.post(WIDGETS, widget("new"))
    assert (refused.code, "is terminating" in refused.body["message"]) == (405, True)
    await api.patch(f"{WIDGETS}/kept", {"metadata": {"finalizers": None}})
    assert (await api.get(f"{CRDS}/widgets.example.test")).code == 404
    assert (await api.get(WIDGETS)).code == 404
    assert (await api.post(CRDS, definition())).code == 201
    assert (await api.get(WIDGETS)).body["items"] == []


async def test_two_definitions_cannot_have_the_same_names(api) -> None:
    await api.post(CRDS, definition())
    await api.post(CRDS, definition("gears", "Widget"))
    made = (await api.get(f"{CRDS}/gears.example.test")).body
    assert conditions(made) == {"NamesAccepted": "False", "Established": "False"}
    assert (await api.get(WIDGETS.replace("widgets", "gears"))).code == 404
    await api.delete(f"{CRDS}/widgets.example.test")
    assert (await api.get(WIDGETS.replace("widgets", "gears"))).code == 200


async def test_definitions_and_objects_outlive_the_server(tmp_path, api_of) -> None:
    settings = ApiServerSettings(tokens={"a-token": "kubernetes-admin"})
    server = ApiServer.open(tmp_path / "store", settings)
    await api_of(server).post(CRDS, definition("gears", "Gear", scope="Cluster"))
    await api_of(server).post("/apis/example.test/v1/gears", {**widget(), "kind": "Gear"})
    await server.close()
    server = ApiServer.open(tmp_path / "store", settings)
    assert (await api_of(server).get("/apis/example.test/v1/gears/one")).body["kind"] == "Gear"
    await server.close()


async def test_columns_and_selectable_fields_are_what_the_definition_says(api, clock) -> None:
    columns = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Port", "type": "string", "jsonPath": '.spec.ports[?(@.name=="http")].port', "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    await api.post(CRDS, definition(additionalPrinterColumns=columns, selectableFields=[{"jsonPath": ".spec.color"}]))
    await api.post(WIDGETS, widget(ports=[{"name": "a", "port": 1}, {"name": "http", "port": 80}]))
    await api.post(WIDGETS, widget("two", color="green"))
    clock.forward(90)
    table = (await api.get(WIDGETS, accept="application/json;as=Table;v=v1;g=meta.k8s.io")).body
    assert [(one["name"], one["priority"]) for one in table["columnDefinitions"]] == [
        ("Name", 0), ("Size", 0), ("Port", 1), ("Age", 0)]  # fmt: skip
    assert [row["cells"] for row in table["rows"]] == [["one", 3, "80", "90s"], ["two", 3, None, "90s"]]
    [green] = (await api.get(f"{WIDGETS}?fieldSelector=spec.color=green")).body["items"]
    assert green["metadata"]["name"] == "two"


async def test_a_scale_reads_and_writes_the_fields_that_it_is_told(api) -> None:
    scale = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}
    await api.post(CRDS, definition(subresources={"status": {}, "scale": scale}))
    await api.post(WIDGETS, widget())
    changed = (await api.patch(f"{WIDGETS}/one/scale", {"spec": {"replicas": 7}})).body
    assert (changed["spec"]["replicas"], changed["status"]) == (7, {"replicas": 0})
    assert (await api.get(f"{WIDGETS}/one")).body["spec"]["size"] == 7


async def test_the_schema_is_published(api) -> None:
    await api.post(CRDS, definition())
    assert "apis/example.test/v1" in (await api.get("/openapi/v3")).body["paths"]
    document = (await api.get("/openapi/v3/apis/example.test/v1")).body
    kind = document["components"]["schemas"]["test.example.v1.Widget"]
    assert kind["properties"]["spec"]["required"] == ["size"]
    assert kind["x-kubernetes-group-version-kind"] == [{"group": "example.test", "version": "v1", "kind": "Widget"}]
    patch = document["paths"]["/apis/example.test/v1/namespaces/{namespace}/widgets/{name}"]["patch"]
    assert "application/strategic-merge-patch+json" not in patch["requestBody"]["content"]
    assert "test.example.v1.Widget" in (await api.get("/openapi/v2")).body["definitions"]
