"""What every kind has from Kubernetes' generic API machinery, as k8s.io/apiserver 0.36 answers it."""

from __future__ import annotations

import copy
import json
from typing import Any
from urllib.parse import unquote

import pytest

from kubelab.engine.apiserver.ownership.apply import in_order
from kubelab.engine.apiserver.patch import merge_patch

CM = "/api/v1/namespaces/default/configmaps"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/example.test/v1/namespaces/default/widgets"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
SCALE = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}
OPEN = "x-kubernetes-preserve-unknown-fields"
SPEC = {
    "type": "object",
    "properties": {
        "size": {"type": "integer", "minimum": 0},
        "open": {"type": "object", OPEN: True, "properties": {"a": {"type": "string"}}},
        "color": {"type": "string", "nullable": True, "enum": ["red", "blue"]},
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "inner": {"type": "object", "x-kubernetes-embedded-resource": True, OPEN: True},
    },
}  # fmt: skip


def definition(spec: Any = None, **version: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": spec or SPEC, "status": {
        "type": "object", "properties": {"size": {"type": "integer"}}}}}  # fmt: skip
    first = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **version}
    names = {"plural": "widgets", "kind": "Widget"}
    return {
        "metadata": {"name": "widgets.example.test"},
        "spec": {"group": "example.test", "scope": "Namespaced", "names": names, "versions": [copy.deepcopy(first)]},
    }


def widget(name: str = "one", spec: Any = None, **meta: Any) -> dict[str, Any]:
    made = {"apiVersion": "example.test/v1", "kind": "Widget", "metadata": {"name": name, **meta}}
    return {**made, "spec": {"size": 1} if spec is None else spec}


@pytest.fixture
async def served(api) -> None:
    made = await api.post(CRDS, definition(subresources={"status": {}, "scale": SCALE}))
    assert made.code == 201, made.raw


# -- bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)"),
        (b"{", "couldn't get version/kind; json parse error: unexpected end of JSON input ({)"),
        (b"{'a':1}", "couldn't get version/kind; json parse error: invalid character '\\'' looking for beginning of "
                     "object key string ({'a':1})"),
        (b'{"a":1 "b"}', "couldn't get version/kind; json parse error: invalid character '\"' after object "
                         'key:value pair ({"a":1 "b"})'),
        (b"[1 2]", "couldn't get version/kind; json parse error: invalid character '2' after array element "
                   "(5b3120325d)"),
        (b"{} x", "couldn't get version/kind; json parse error: invalid character 'x' after top-level value ({} x)"),
        (b"null", "Object 'Kind' is missing in 'null' (6e756c6c)"),
    ],
)  # fmt: skip
async def test_a_body_that_is_no_object_is_shown_with_the_parsers_word(api, served, body, why) -> None:
    refused = await api.send("POST", WIDGETS, body)
    assert refused.code == 400
    assert refused.body["message"] == f"the object provided is unrecognized (must be of type Widget): {why}"


async def test_a_custom_resource_says_what_it_is(api, served) -> None:
    untyped = {name: value for name, value in widget().items() if name != "kind"}
    assert "Object 'Kind' is missing in '" in (await api.post(WIDGETS, untyped)).body["message"]
    said = "the API version in the data () does not match the expected API version (example.test/v1)"
    assert (await api.post(WIDGETS, {**widget(), "apiVersion": ""})).body["message"] == said
    other = await api.post(WIDGETS, {**widget(), "kind": "Gadget"})
    assert (other.code, other.body["message"].partition(": ")[2]) == (
        422, 'kind: Invalid value: "Gadget": must be Widget')  # fmt: skip
    assert (await api.post(CM, {"metadata": {"name": "a"}})).code == 201  # of Kubernetes' own kinds the URL tells


async def test_fields_that_are_there_twice_are_named_with_their_paths(api, served) -> None:
    body = b'{"metadata":{"name":"a","labels":{"k":"1","k":"2"}},"data":{"a":"1","a":"2"}}'
    warned = (await api.send("POST", CM, body)).headers["warning"]
    assert [f'duplicate field \\"{path}\\"' in warned for path in ("metadata.labels.k", "data.a")] == [True, True]
    text = b"metadata: {name: b}\ndata:\n  a: x\n  a: z\n"
    warned = (await api.send("POST", CM, text, "application/yaml")).headers["warning"]
    assert 'line 4: key \\"a\\" already set in map' in warned
    refused = await api.send("POST", f"{CM}?fieldValidation=Strict", text, "application/yaml")
    assert refused.code == 400


async def test_yaml_has_the_booleans_of_its_version_1_1(api, served) -> None:
    text = b"apiVersion: example.test/v1\nkind: Widget\nmetadata: {name: a}\n"
    text += b"spec: {open: {yes: y, no: n, word: name}}\n"
    made = await api.send("POST", WIDGETS, text, "application/yaml")
    assert made.body["spec"]["open"] == {"true": True, "false": False, "word": "name"}


# -- metadata ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meta", "causes"),
    [
        ({"ownerReferences": [{"apiVersion": "a/b/c", "kind": "P", "name": "p", "uid": "u"}]},
         [("metadata.ownerReferences.apiVersion", 'Invalid value: "a/b/c": version must not be empty')]),
        ({"ownerReferences": [{"apiVersion": "v1", "kind": "P", "name": "p"}]},
         [("metadata.ownerReferences.uid", 'Invalid value: "": must not be empty')]),
        ({"finalizers": ["foregroundDeletion", "orphan"]},
         [("metadata.finalizers", 'Invalid value: ["foregroundDeletion","orphan"]: finalizer orphan and '
                                  "foregroundDeletion cannot be both set")]),
    ],
)  # fmt: skip
async def test_metadata_that_makes_no_sense_is_refused(api, served, meta, causes) -> None:
    refused = await api.post(WIDGETS, widget(**meta))
    assert [(one["field"], one["message"]) for one in refused.body["details"]["causes"]] == causes


async def test_an_event_owns_nothing(api) -> None:
    owner = {"apiVersion": "v1", "kind": "Event", "name": "e", "uid": "u"}
    refused = await api.post(CM, {"metadata": {"name": "a", "ownerReferences": [owner]}})
    assert "/v1, Kind=Event is disallowed from being an owner" in refused.body["message"]


async def test_a_custom_resource_is_only_warned_of_a_finalizer_without_a_domain(api, served) -> None:
    made = await api.post(WIDGETS, widget(finalizers=["hold"]))
    assert (made.code, "prefer a domain-qualified finalizer name to avoid" in made.headers["warning"]) == (201, True)


async def test_who_made_an_object_when_stays_and_its_prefix_does_not(api) -> None:
    made = (await api.post(CM, {"metadata": {"name": "a"}})).body
    sent = copy.deepcopy(made)
    sent["metadata"].update(creationTimestamp="2020-01-01T00:00:00Z", generateName="b-")
    kept = (await api.put(f"{CM}/a", sent)).body["metadata"]
    assert (kept["creationTimestamp"], kept["generateName"]) == (made["metadata"]["creationTimestamp"], "b-")
    stranger = await api.patch(f"{CM}/a", {"metadata": {"uid": "x"}})
    assert (stranger.code, stranger.body["message"].endswith("is invalid: metadata.uid: Invalid value: \"x\": field is "
                                                            "immutable")) == (422, True)  # fmt: skip


async def test_a_put_names_its_object_and_only_an_apply_of_what_is_there_need_not(api) -> None:
    await api.post(CM, {"metadata": {"name": "a"}})
    why = "the name of the object (a based on URL) was undeterminable: name must be provided"
    assert (await api.put(f"{CM}/a", {"data": {}})).body["message"] == why
    assert (await api.patch(f"{CM}/a", {"metadata": None})).body["message"] == why
    config = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "v"}}
    assert (await api.patch(f"{CM}/a?fieldManager=me", config, "apply")).code == 200
    assert (await api.patch(f"{CM}/b?fieldManager=me", config, "apply")).code == 400


async def test_a_version_that_storage_does_not_take_is_a_500_without_a_reason(api) -> None:
    await api.post(CM, {"metadata": {"name": "a"}})
    asked = (
        await api.post(CM, {"metadata": {"name": "b", "resourceVersion": "5"}}),
        await api.get(f"{CM}/a?resourceVersion=x"),
        await api.get(f"{CM}?watch=1&resourceVersion=x"),
    )
    assert [(one.code, "reason" in one.body) for one in asked] == [(500, False)] * 3
    assert (await api.get(f"{CM}?resourceVersion=x")).body["message"].startswith("invalid resource version: ")


# -- reads ---------------------------------------------------------------------------------------


async def test_a_list_of_custom_resources_always_says_where_it_goes_on(api, served) -> None:
    assert (await api.get(WIDGETS)).body["metadata"]["continue"] == ""
    assert "continue" not in (await api.get(CM)).body["metadata"]


async def test_of_a_parameter_that_is_said_twice_the_first_counts(api) -> None:
    for name in ("a", "b"):
        await api.post(CM, {"metadata": {"name": name}})
    listed = await api.get(f"{CM}?fieldSelector=metadata.name=a&fieldSelector=metadata.name=b")
    assert [one["metadata"]["name"] for one in listed.body["items"]] == ["a"]


@pytest.mark.parametrize(
    ("selector", "why"),
    [
        ("bogus", "invalid selector: 'bogus'; can't understand 'bogus'"),
        ("metadata.name=a=b", "invalid field selector: unescaped character in value: 61"),
        ("metadata.name=a%5Cb", "invalid field selector: invalid escape sequence: \\b"),
        ("%20metadata.name=a", "field label not supported:  metadata.name"),
    ],
)
async def test_a_field_selector_is_read_to_the_letter(api, selector, why) -> None:
    assert (await api.get(f"{CM}?fieldSelector={unquote(selector)}")).body["message"] == why


async def test_a_list_is_no_single_object_and_neither_is_the_other(api) -> None:
    await api.post(CM, {"metadata": {"name": "a"}})
    one = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
    several = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    assert [(await api.get(CM, accept=one)).code, (await api.get(f"{CM}/a", accept=several)).code] == [406, 406]
    unknown = "application/json;as=Table;v=v9;g=meta.k8s.io"
    assert (await api.get(CM, accept=unknown)).code == 406
    assert (await api.get(CM, accept=f"{unknown},application/json")).body["kind"] == "ConfigMapList"


async def test_columns_without_a_description_say_where_they_come_from(api) -> None:
    column = {"name": "Size", "type": "integer", "jsonPath": ".spec.size"}
    await api.post(CRDS, definition(additionalPrinterColumns=[column]))
    told = (await api.get(WIDGETS, accept=TABLE)).body["columnDefinitions"][1]["description"]
    assert told == "Custom resource definition column (in JSONPath format): .spec.size"


async def test_what_is_in_no_namespace_is_only_listed_and_watched(api, served) -> None:
    assert (await api.delete("/api/v1/configmaps")).code == 405
    nowhere = await api.post("/apis/example.test/v1/widgets", widget())
    assert (nowhere.code, nowhere.raw) == (404, b"404 page not found\n")


async def test_a_watch_that_begins_with_what_is_there_marks_the_end_of_it(api, client) -> None:
    await api.post(CM, {"metadata": {"name": "a"}})
    stream = (await api.open("GET", f"{CM}?watch=1&allowWatchBookmarks=true")).body
    lines = [json.loads(line) for line in (await anext(stream)).splitlines()]  # type: ignore[arg-type]
    assert lines[-1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert (await api.get(f"{CM}?watch=1", accept="application/yaml")).code == 406


# -- ends ----------------------------------------------------------------------------------------


async def test_a_watch_sees_what_was_stored_when_the_last_finalizer_goes(api, served) -> None:
    made = (await api.post(WIDGETS, widget(finalizers=["a.b/c"]))).body
    await api.delete(f"{WIDGETS}/one")
    stream = (await api.open("GET", f"{WIDGETS}?watch=1&resourceVersion={made['metadata']['resourceVersion']}")).body
    answer = await api.patch(f"{WIDGETS}/one", {"metadata": {"finalizers": None}})
    assert "finalizers" not in answer.body["metadata"]
    events = [json.loads(line) for line in (await anext(stream)).splitlines()]  # type: ignore[arg-type]
    assert (events[-1]["type"], events[-1]["object"]["metadata"]["finalizers"]) == ("DELETED", ["a.b/c"])


async def test_a_collection_is_deleted_as_far_as_its_limit(api) -> None:
    for name in ("a", "b", "c"):
        await api.post(CM, {"metadata": {"name": name}})
    assert len((await api.delete(f"{CM}?limit=2")).body["items"]) == 2
    assert len((await api.get(CM)).body["items"]) == 1


async def test_a_precondition_that_does_not_hold_names_the_kind(api) -> None:
    await api.post(CM, {"metadata": {"name": "a"}})
    refused = await api.delete(f"{CM}/a", {"preconditions": {"uid": "x"}})
    assert refused.body["message"].startswith('Operation cannot be fulfilled on ConfigMap "a": the UID in the')


# -- ownership -----------------------------------------------------------------------------------


def fields(answer: Any, manager: str = "") -> Any:
    entries = answer.body["metadata"]["managedFields"]
    return next(one["fieldsV1"] for one in entries if manager in ("", one["manager"]))


async def test_of_a_custom_resource_every_object_is_owned_with_its_members(api, served) -> None:
    made = await api.post(WIDGETS, widget(spec={"open": {"more": {"deep": 1}}, "tags": ["x"]}, labels={"a": "b"}))
    assert fields(made) == {
        "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
        "f:spec": {".": {}, "f:open": {".": {}, "f:more": {".": {}, "f:deep": {}}},
                   "f:tags": {".": {}, 'v:"x"': {}}},
    }  # fmt: skip


async def test_an_apply_that_changes_nothing_has_no_time_and_an_empty_list_is_nobodys(api, served) -> None:
    await api.post(WIDGETS, widget())
    config = {"apiVersion": "example.test/v1", "kind": "Widget", "spec": {"size": 1}}
    same = await api.patch(f"{WIDGETS}/one?fieldManager=me", config, "apply")
    mine = next(one for one in same.body["metadata"]["managedFields"] if one["manager"] == "me")
    assert "time" not in mine
    config["spec"]["tags"] = []  # type: ignore[index]
    again = await api.patch(f"{WIDGETS}/one?fieldManager=me", config, "apply")
    assert fields(again, "me") == {"f:spec": {"f:size": {}}}


async def test_an_applied_configuration_is_of_its_types(api, served) -> None:
    config = widget(spec={"size": "big", "tags": [["x"]]})
    refused = await api.patch(f"{WIDGETS}/one?fieldManager=me", config, "apply")
    assert (refused.code, refused.body["message"].partition("): ")[2]) == (500, (
        "errors:\n  .spec.size: expected numeric (int or float), got string\n"
        "  .spec.tags: element 0: not supported: associative list with lists as elements"))  # fmt: skip


@pytest.mark.parametrize(
    ("live", "applied", "order"),
    [("abc", "c", "abc"), ("abc", "ca", "bca"), ("abc", "xb", "axbc"), ("", "ba", "ba"), ("ab", "ba", "ba")],
)
def test_an_applied_list_has_its_own_order_and_others_items_between(live, applied, order) -> None:
    assert "".join(in_order(list(live), list(applied))) == order


async def test_the_status_of_a_definition_is_the_servers(api, served) -> None:
    made = (await api.get(f"{CRDS}/widgets.example.test")).body
    [entry] = [one for one in made["metadata"]["managedFields"] if one["manager"] == "kube-apiserver"]
    assert (entry["subresource"], set(entry["fieldsV1"])) == ("status", {"f:status"})


# -- patches -------------------------------------------------------------------------------------


def test_a_null_in_a_lists_object_takes_the_member_away() -> None:
    assert merge_patch({}, {"a": [{"b": None, "c": 1}, None]}) == {"a": [{"c": 1}, None]}


@pytest.mark.parametrize(
    ("operation", "code", "why"),
    [
        ({"op": "jump", "path": "/data"}, 400, 'invalid operation {"op":"jump","path":"/data"}: unsupported operation'),
        ({"op": "add", "path": "/data"}, 400, 'invalid operation {"op":"add","path":"/data"}: failed to decode '
                                              "'value': operation, missing value field: missing value"),
        ({"op": "test", "path": "/data/nope", "value": None}, 200, ""),
    ],
)  # fmt: skip
async def test_an_operation_that_is_none_is_said_so(api, operation, code, why) -> None:
    await api.post(CM, {"metadata": {"name": "a"}, "data": {"k": "v"}})
    answer = await api.patch(f"{CM}/a", [operation], "json")
    assert (answer.code, answer.body.get("message", "")) == (code, why)


# -- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "causes"),
    [
        ({"size": -1}, ["spec.size", ".spec.size"]),
        ({"size": "3"}, ["spec.size", ".spec.size"]),
        ({"color": None}, ["spec.color"]),
        ({"inner": {"kind": "Pod", "metadata": {"labels": {"a b": "c"}}}},
         ["spec.inner.apiVersion", "spec.inner.metadata.labels"]),
    ],
)  # fmt: skip
async def test_a_value_that_cannot_be_is_refused(api, served, spec, causes) -> None:
    refused = await api.post(WIDGETS, widget(spec=spec))
    assert [one["field"] for one in refused.body["details"]["causes"]] == causes


@pytest.mark.parametrize(
    ("version", "field"),
    [
        ({"selectableFields": [{"jsonPath": ".spec.nope"}]}, "spec.selectableFields[0].jsonPath"),
        ({"selectableFields": [{"jsonPath": ".spec"}]}, "spec.selectableFields[0].jsonPath"),
        ({"deprecationWarning": "old"}, "spec.versions[0].deprecationWarning"),
        (
            {"subresources": {"scale": {**SCALE, "labelSelectorPath": ".x"}}},
            "spec.subresources.scale.labelSelectorPath",
        ),
        ({"additionalPrinterColumns": [{"name": "A", "type": "string"}]}, "spec.additionalPrinterColumns[0].JSONPath"),
        (
            {"subresources": {"scale": {"statusReplicasPath": ".status.size"}}},
            "spec.subresources.scale.specReplicasPath",
        ),
    ],
)
async def test_a_version_that_makes_no_sense_is_refused(api, version, field) -> None:
    refused = await api.post(CRDS, definition(**version))
    assert [one["field"] for one in refused.body["details"]["causes"]] == [field]


@pytest.mark.parametrize(
    ("of", "where"),
    [
        ({"type": "string", "x-kubernetes-map-type": "atomic"}, "type"),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": False}, "x-kubernetes-preserve-unknown-fields"),
        ({"type": "object", "x-kubernetes-embedded-resource": True}, "properties"),
        ({"type": "object", "default": {"x": 1}}, "default"),
        ({"type": "string", "pattern": "(?=a)b"}, "pattern"),
        ({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string", "nullable": True}},
         "items.nullable"),
        ({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "object"}},
         "items.x-kubernetes-map-type"),
        ({"type": "object", "x-kubernetes-validations": [{"rule": " "}]}, "x-kubernetes-validations[0].rule"),
        ({"type": "object", "x-kubernetes-validations": [{"rule": "true", "reason": "No"}]},
         "x-kubernetes-validations[0].reason"),
        ({"type": "object", "x-kubernetes-validations": [{"rule": "true", "fieldPath": ".x"}]},
         "x-kubernetes-validations[0].fieldPath"),
    ],
)  # fmt: skip
async def test_a_schema_that_makes_no_sense_is_refused_where_it_is_wrong(api, of, where) -> None:
    refused = await api.post(CRDS, definition({"type": "object", "properties": {"a": of}}))
    at = "spec.validation.openAPIV3Schema.properties[spec].properties[a]"
    assert [one["field"] for one in refused.body["details"]["causes"]] == [f"{at}.{where}"]


async def test_who_comes_before_an_object_is_gone_is_told_that_it_goes(api) -> None:
    await api.post(CM, {"metadata": {"name": "a", "finalizers": ["a.b/c"]}})
    await api.delete(f"{CM}/a")
    again = await api.post(CM, {"metadata": {"name": "a"}})
    assert (again.code, again.body["message"]) == (409, 'object is being deleted: configmaps "a" already exists')


async def test_only_options_delete(api) -> None:
    await api.post(CM, {"metadata": {"name": "a"}})
    refused = await api.delete(f"{CM}/a", {"apiVersion": "v1", "kind": "Pod"})
    assert (refused.code, refused.body["message"].startswith('no kind "Pod" is registered for version "v1"')) == (
        400,
        True,
    )


async def test_a_number_is_no_truth_however_python_sees_it(api, served) -> None:
    await api.post(WIDGETS, widget(spec={"open": {"x": True, "y": 1}}))
    changed = (await api.patch(f"{WIDGETS}/one", {"spec": {"open": {"x": 1}}})).body
    assert (changed["spec"]["open"]["x"], changed["metadata"]["generation"]) == (1, 2)
    assert changed["spec"]["open"]["x"] is not True


async def test_defaults_of_what_a_map_holds_are_not_looked_at(api) -> None:
    below = {"type": "object", "additionalProperties": {"type": "string", "default": 3}}
    assert (await api.post(CRDS, definition({"type": "object", "properties": {"a": below}}))).code == 201
