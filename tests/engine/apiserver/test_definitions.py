"""What the API server refuses in a CustomResourceDefinition."""

from __future__ import annotations

import copy
from typing import Any

import pytest

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
AT = "spec.validation.openAPIV3Schema"
VERSION = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}


def definition(schema: Any = None, **spec: Any) -> Any:
    version = copy.deepcopy(VERSION)
    if schema is not None:
        version["schema"]["openAPIV3Schema"] = schema
    names = {"plural": "widgets", "kind": "Widget"}
    made = {"group": "example.test", "scope": "Cluster", "names": names, "versions": [version], **spec}
    return {"metadata": {"name": "widgets.example.test"}, "spec": made}


def with_spec(**schema: Any) -> Any:
    return definition({"type": "object", "properties": {"spec": schema}})


@pytest.mark.parametrize(
    ("crd", "field", "reason"),
    [
        ({**definition(), "metadata": {"name": "others.example.test"}}, "metadata.name", "Invalid"),
        (definition(scope="Global"), "spec.scope", "NotSupported"),
        (definition(versions=[]), "spec.versions", "Invalid"),
        (definition(versions=[{**VERSION, "storage": False}]), "spec.versions", "Invalid"),
        (definition(versions=[VERSION, {**VERSION, "storage": False}]), "spec.versions[1].name", "Duplicate"),
        (definition(versions=[{**VERSION, "schema": None}]), "spec.versions[0].schema.openAPIV3Schema", "Required"),
        (definition(conversion={"strategy": "Webhook"}), "spec.conversion.strategy", "Forbidden"),
        (definition(preserveUnknownFields=True), "spec.preserveUnknownFields", "Invalid"),
        (definition({}), f"{AT}.type", "Required"),
        (definition({"type": "string"}), f"{AT}.type", "Invalid"),
        (with_spec(), f"{AT}.properties[spec].type", "Required"),
        (with_spec(type="array"), f"{AT}.properties[spec].items", "Required"),
        (with_spec(type="string", uniqueItems=True), f"{AT}.properties[spec].uniqueItems", "Forbidden"),
        (with_spec(type="string", pattern="("), f"{AT}.properties[spec].pattern", "Invalid"),
        (with_spec(type="string", default=3), f"{AT}.properties[spec].default", "TypeInvalid"),
        (with_spec(type="string", anyOf=[{"type": "string"}]), f"{AT}.properties[spec].anyOf[0].type", "Forbidden"),
        (with_spec(type="array", items={"type": "object"}, **{"x-kubernetes-list-type": "map"}),
         f"{AT}.properties[spec].x-kubernetes-list-map-keys", "Required"),
    ],
)  # fmt: skip
async def test_a_definition_that_makes_no_sense_is_refused(api, why, crd, field, reason) -> None:
    assert (field, reason) in why(await api.post(CRDS, crd))


async def test_a_protected_group_needs_approval(api, why) -> None:
    crd = definition(group="example.k8s.io")
    crd["metadata"]["name"] = "widgets.example.k8s.io"
    assert why(await api.post(CRDS, crd)) == [("metadata.annotations[api-approved.kubernetes.io]", "Required")]
    crd["metadata"]["annotations"] = {"api-approved.kubernetes.io": "https://example.test/approval"}
    assert (await api.post(CRDS, crd)).code == 201
    status = (await api.get(f"{CRDS}/widgets.example.k8s.io")).body["status"]
    assert "KubernetesAPIApprovalPolicyConformant" in [one["type"] for one in status["conditions"]]


async def test_what_is_established_cannot_be_changed(api, why) -> None:
    await api.post(CRDS, definition())
    changed = await api.patch(f"{CRDS}/widgets.example.test", {"spec": {"scope": "Namespaced"}})
    assert why(changed) == [("spec.scope", "Invalid")]
    gone = await api.patch(f"{CRDS}/widgets.example.test", {"spec": {"versions": [{**VERSION, "name": "v2"}]}})
    assert why(gone) == [("status.storedVersions[0]", "Invalid")]
