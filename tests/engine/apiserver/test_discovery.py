from __future__ import annotations

import json

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


async def test_groups_and_resources_can_be_discovered_one_by_one(api) -> None:
    assert (await api.get("/api")).body["versions"] == ["v1"]
    groups = {group["name"]: group for group in (await api.get("/apis")).body["groups"]}
    assert groups["apps"]["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    core = {one["name"]: one for one in (await api.get("/api/v1")).body["resources"]}
    assert core["services"]["shortNames"] == ["svc"]
    assert (core["namespaces"]["namespaced"], core["pods"]["namespaced"]) == (False, True)
    assert core["pods/eviction"] == {
        "name": "pods/eviction", "singularName": "", "namespaced": True, "group": "policy", "version": "v1",
        "kind": "Eviction", "verbs": ["create"],
    }  # fmt: skip
    assert (await api.get("/apis/apps")).body["name"] == "apps"
    assert (await api.get("/apis/nothing.example")).code == 404


async def test_everything_can_be_discovered_at_once(api) -> None:
    answer = await api.get("/apis", accept=AGGREGATED)
    assert answer.headers["content-type"] == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    apps = next(item for item in answer.body["items"] if item["metadata"]["name"] == "apps")
    deployments = next(one for one in apps["versions"][0]["resources"] if one["resource"] == "deployments")
    assert deployments["responseKind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert [sub["subresource"] for sub in deployments["subresources"]] == ["scale", "status"]


async def test_openapi_says_that_fields_are_validated_and_what_they_mean(api) -> None:
    index = (await api.get("/openapi/v3")).body["paths"]
    path = index["apis/apps/v1"]["serverRelativeURL"].partition("?")[0]
    document = (await api.get(path)).body
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert "fieldValidation" in [parameter["name"] for parameter in patch["parameters"]]
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    schemas = document["components"]["schemas"]
    replicas = schemas["io.k8s.api.apps.v1.DeploymentSpec"]["properties"]["replicas"]
    assert replicas["type"] == "integer"
    assert replicas["description"].startswith("Number of desired pods.")
    references = {text.split('"')[0] for text in json.dumps(document).split("#/components/schemas/")[1:]}
    assert references <= set(schemas)


async def test_the_older_openapi_is_there_too(api) -> None:
    document = (await api.get("/openapi/v2")).body
    assert (document["swagger"], document["info"]["version"]) == ("2.0", "v1.36.2")
    references = {text.split('"')[0] for text in json.dumps(document).split("#/definitions/")[1:]}
    assert references <= set(document["definitions"])


async def test_version_and_health(api) -> None:
    assert (await api.get("/version")).body["gitVersion"] == "v1.36.2"
    for path in ("/healthz", "/readyz", "/livez", "/readyz/ping"):
        assert (await api.get(path)).raw == b"ok"
    assert (await api.get("/nothing")).code == 404
    assert (await api.post("/version", {})).code == 405
