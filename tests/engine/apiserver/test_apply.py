from __future__ import annotations

import pytest

SERVICES = "/api/v1/namespaces/default/services"
CM = "/api/v1/namespaces/default/configmaps"


def config(**data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


async def apply(api, body: dict, manager: str = "me", query: str = ""):
    return await api.patch(f"{CM}/a?fieldManager={manager}&{query}", body, "apply")


async def test_applying_creates_and_then_changes(api) -> None:
    assert (await apply(api, config(k="1"))).code == 201
    changed = await apply(api, config(k="2"))
    assert (changed.code, changed.body["data"]) == (200, {"k": "2"})
    entry = changed.body["metadata"]["managedFields"][0]
    assert (entry["manager"], entry["operation"]) == ("me", "Apply")
    assert entry["fieldsV1"] == {"f:data": {"f:k": {}}}


async def test_a_field_that_is_no_longer_applied_goes(api) -> None:
    await apply(api, config(k="1", l="2"))
    assert (await apply(api, config(k="1"))).body["data"] == {"k": "1"}


async def test_a_field_of_somebody_else_stays(api) -> None:
    await apply(api, config(k="1"))
    await apply(api, config(l="2"), "you")
    assert (await apply(api, config())).body["data"] == {"l": "2"}


async def test_two_managers_who_disagree_are_a_conflict_until_one_insists(api) -> None:
    await apply(api, config(k="1"))
    refused = await apply(api, config(k="2"), "you")
    assert (refused.code, refused.body["reason"]) == (409, "Conflict")
    assert refused.body["message"] == 'Apply failed with 1 conflict: conflict with "me": .data.k'
    assert refused.body["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "me"', "field": ".data.k"}
    ]
    insisted = await apply(api, config(k="2"), "you", "force=true")
    assert insisted.body["data"] == {"k": "2"}
    owners = {entry["manager"] for entry in insisted.body["metadata"]["managedFields"] if entry["fieldsV1"]}
    assert owners == {"you"}


@pytest.mark.parametrize("validation", ["Strict", "Warn", "Ignore"])
async def test_a_field_that_is_not_declared_is_never_applied(api, validation) -> None:
    body = {**config(), "extra": 1}
    refused = await api.patch(f"{CM}/a?fieldManager=me&fieldValidation={validation}", body, "apply")
    assert (refused.code, refused.body["message"]) == (
        500,
        "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .extra: field not declared in schema",
    )


async def test_agreeing_is_shared_ownership(api) -> None:
    await apply(api, config(k="1"))
    assert (await apply(api, config(k="1"), "you")).code == 200
    assert (await apply(api, config(), "me")).body["data"] == {"k": "1"}


async def test_items_of_a_list_are_owned_one_by_one(api, make) -> None:
    def ports(*numbers: int) -> dict:
        listed = [{"name": f"p{number}", "port": number} for number in numbers]
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": listed}}

    await api.patch(f"{SERVICES}/a?fieldManager=me", ports(80, 81), "apply")
    await api.patch(f"{SERVICES}/a?fieldManager=you", ports(82), "apply")
    made = (await api.patch(f"{SERVICES}/a?fieldManager=me", ports(80), "apply")).body
    assert [port["port"] for port in made["spec"]["ports"]] == [80, 82]


@pytest.mark.parametrize(
    ("body", "query", "code"),
    [
        (config(), "", 422),
        ([], "fieldManager=me", 400),
        ({**config(), "kind": "Secret"}, "fieldManager=me", 400),
        ({**config(), "metadata": {"name": "b"}}, "fieldManager=me", 400),
        ({**config(), "data": [1]}, "fieldManager=me", 500),
    ],
)
async def test_an_apply_that_makes_no_sense_is_refused(api, body, query, code) -> None:
    answer = await api.patch(f"{CM}/a?{query}", body, "apply")
    assert answer.code == code, answer.raw


async def test_one_key_twice_is_refused_wherever_items_have_keys(api) -> None:
    ports = [{"port": 80}, {"name": "again", "port": 80, "protocol": "TCP"}]
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": ports}}
    refused = await api.patch(f"{SERVICES}/a?fieldManager=me", body, "apply")
    assert (refused.code, refused.body["message"]) == (
        500,
        "failed to create typed patch object (/a; /v1, Kind=Service): "
        '.spec.ports: duplicate entries for key [port=80,protocol="TCP"]',
    )


async def test_who_owns_what_is_not_applied(api) -> None:
    await apply(api, config(k="1"))
    refused = await apply(api, (await api.get(f"{CM}/a")).body)
    assert (refused.code, refused.body["message"]) == (400, "metadata.managedFields must be nil")


async def test_what_is_applied_says_its_version(api) -> None:
    refused = await apply(api, {"kind": "ConfigMap", "metadata": {"name": "a"}})
    assert refused.code == 400
    assert refused.body["message"] == (
        "Incorrect version specified in apply patch. Specified patch version: , expected: v1"
    )
