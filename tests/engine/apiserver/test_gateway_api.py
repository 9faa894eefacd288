"""The Gateway API's definitions in the API server that serves them."""

from __future__ import annotations

import copy
import json
import re
import shutil
from typing import Any

import pytest
import yaml

from kubelab.engine import gateway_api
from kubelab.engine.client.resources import CUSTOMRESOURCEDEFINITIONS, GATEWAYS
from kubelab.engine.reset import reset

API = "gateway.networking.k8s.io/v1"
ROOT = f"/apis/{API}"
ROUTES = f"{ROOT}/namespaces/default/httproutes"
with_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


@pytest.fixture(autouse=True)
async def installed(client) -> None:
    await gateway_api.install(client)


def gateway(name: str = "web", *listeners: dict[str, Any]) -> dict[str, Any]:
    listening = listeners or ({"name": "http", "port": 80, "protocol": "HTTP"},)
    spec = {"gatewayClassName": "kubelab", "listeners": list(listening)}
    return {"apiVersion": API, "kind": "Gateway", "metadata": {"name": name}, "spec": spec}


def route(name: str = "shop", *, parent: dict[str, Any] | None = None, **rule: Any) -> dict[str, Any]:
    rule = rule or {"backendRefs": [{"name": "web", "port": 80}]}
    spec = {"parentRefs": [parent or {"name": "web"}], "rules": [rule]}
    return {"apiVersion": API, "kind": "HTTPRoute", "metadata": {"name": name}, "spec": spec}


async def test_what_is_left_out_is_filled_in(api) -> None:
    listener = {"name": "https", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "shop-tls"}]}}
    made = (await api.post(f"{ROOT}/namespaces/default/gateways", gateway("web", listener))).body
    [listening] = made["spec"]["listeners"]
    assert listening["allowedRoutes"] == {"namespaces": {"from": "Same"}}
    assert listening["tls"] == {
        "mode": "Terminate",
        "certificateRefs": [{"group": "", "kind": "Secret", "name": "shop-tls"}],
    }
    judged = [(one["type"], one["status"]) for one in made["status"]["conditions"]]
    assert judged == [("Accepted", "Unknown"), ("Programmed", "Unknown")]
    spec = (await api.post(ROUTES, route())).body["spec"]
    assert spec["parentRefs"] == [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "web"}]
    [rule] = spec["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert rule["backendRefs"] == [{"group": "", "kind": "Service", "name": "web", "port": 80, "weight": 1}]
    redirected = (await api.post(ROUTES, route("moved", filters=[redirect(scheme="https")]))).body["spec"]["rules"][0]
    assert redirected["filters"][0]["requestRedirect"] == {"scheme": "https", "statusCode": 302}


def redirect(**to: Any) -> dict[str, Any]:
    return {"type": "RequestRedirect", "requestRedirect": to}


def rewrite(**to: Any) -> dict[str, Any]:
    return {"type": "URLRewrite", "urlRewrite": to}


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"matches": [{"path": {"type": "Prefix"}}]}, "spec.rules[0].matches[0].path.type"),
        ({"matches": [{"method": "get"}]}, "spec.rules[0].matches[0].method"),
        ({"matches": [{"headers": [{"name": "a b", "value": "c"}]}]}, "spec.rules[0].matches[0].headers[0].name"),
        ({"matches": [{"queryParams": [{"name": "a"}]}]}, "spec.rules[0].matches[0].queryParams[0].value"),
        ({"backendRefs": [{"name": "web", "port": 0}]}, "spec.rules[0].backendRefs[0].port"),
        ({"backendRefs": [{"name": "web", "port": 80, "weight": -1}]}, "spec.rules[0].backendRefs[0].weight"),
        ({"filters": [redirect(statusCode=200)]}, "spec.rules[0].filters[0].requestRedirect.statusCode"),
        ({"filters": [{"requestRedirect": {}}]}, "spec.rules[0].filters[0].type"),
        ({"timeouts": {"request": "1 minute"}}, "spec.rules[0].timeouts.request"),
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused_where_it_is_wrong(api, rule, field) -> None:
    refused = await api.post(ROUTES, route(**rule))
    assert refused.code == 422, refused.raw
    assert field in [cause["field"] for cause in refused.body["details"]["causes"]]


PREFIX = {"matches": [{"path": {"value": "/old"}}]}


@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        ({"backendRefs": [{"name": "web"}]}, "backendRefs[0]: a Service needs a port"),
        ({"backendRefs": [{"name": "b", "kind": "Bucket", "group": "example.test"}]}, ""),
        ({"backendRefs": [{"name": "web", "port": 80}], "filters": [redirect()]},
         ": a rule that redirects has no backendRefs"),
        ({"filters": [redirect(), rewrite()]}, "filters: a request is redirected or rewritten, not both"),
        ({"filters": [rewrite(), rewrite()]}, "filters: filters of this type cannot be repeated"),
        ({"filters": [{"type": "URLRewrite"}]}, "filters[0]: a filter has the one field that is named like its type"),
        ({"filters": [{"type": "URLRewrite", "urlRewrite": {}, "requestRedirect": {}}]},
         "filters[0]: a filter has the one field that is named like its type"),
        ({"filters": [rewrite(path={"type": "ReplaceFullPath", "replacePrefixMatch": "/"})], **PREFIX},
         "filters[0].urlRewrite.path: the field that is named like the type is there, and only that"),
        ({"filters": [redirect(path={"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"})], **PREFIX}, ""),
        ({"filters": [redirect(path={"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"})],
          "matches": [{"path": {"type": "Exact", "value": "/a"}}]},
         ": replacePrefixMatch needs exactly one match, a PathPrefix, whose prefix it replaces"),
        ({"matches": [{"path": {"value": "a"}}]}, "matches[0].path: a path starts with /"),
        ({"matches": [{"path": {"value": "/a//b"}}]},
         "matches[0].path: a path does not contain //, /./, /../, %2f, %2F or #"),
        ({"matches": [{"path": {"value": "/a/.."}}]}, "matches[0].path: a path does not end with /. or /.."),
        ({"matches": [{"path": {"value": "/a b"}}]},
         "matches[0].path: a path has only characters of a URL's path, others as %XX"),
        ({"matches": [{"path": {"value": "/it's@home%20"}}]}, ""),
        ({"matches": [{"path": {"type": "RegularExpression", "value": "a//.*"}}]}, ""),
        ({"timeouts": {"request": "1s", "backendRequest": "1500ms"}},
         "timeouts: backendRequest is no longer than request"),
        ({"timeouts": {"request": "0s", "backendRequest": "1s"}}, ""),
    ],
)  # fmt: skip
async def test_what_contradicts_itself_is_refused(api, rule, wrong) -> None:
    answer = await api.post(ROUTES, route(**rule))
    causes = answer.body["details"]["causes"] if answer.code == 422 else []
    found = [f"{cause['field']}: {cause['message'].split(': ', 2)[2]}" for cause in causes]
    assert (answer.code, found) == (422, [f"spec.rules[0].{wrong}".replace(".:", ":")]) if wrong else (201, [])


TLS = {"certificateRefs": [{"name": "shop-tls"}]}


@pytest.mark.parametrize(
    ("listeners", "wrong"),
    [
        ([{"protocol": "HTTP", "tls": TLS}], "tls is only for the protocols HTTPS and TLS"),
        ([{"protocol": "HTTPS", "tls": {"mode": "Passthrough"}}],
         "an HTTPS listener terminates TLS itself, so its mode is Terminate"),
        ([{"protocol": "HTTPS", "tls": {}}],
         "to terminate TLS a listener needs certificateRefs (or options of its controller)"),
        ([{"protocol": "TLS"}], "a TLS listener needs tls"),
        ([{"protocol": "TCP", "hostname": "a.test"}], "TCP and UDP know no hostname"),
        ([{"protocol": "HTTP"}, {"protocol": "HTTP"}], "two listeners have the same port, protocol and hostname"),
        ([{"protocol": "HTTP"}, {"protocol": "HTTP", "hostname": "a.test"}], ""),
        ([{"protocol": "HTTPS", "tls": TLS}], ""),
    ],
)  # fmt: skip
async def test_listeners_that_contradict_themselves_are_refused(api, listeners, wrong) -> None:
    numbered = [{"name": f"l{number}", "port": 80, **listener} for number, listener in enumerate(listeners)]
    answer = await api.post(f"{ROOT}/namespaces/default/gateways", gateway("web", *numbered))
    causes = answer.body["details"]["causes"] if answer.code == 422 else []
    assert (answer.code, [cause["message"].split(": ", 2)[2] for cause in causes]) == (
        (422, [wrong]) if wrong else (201, [])
    )


async def test_a_class_keeps_its_controller_and_a_route_names_a_parent_once(api) -> None:
    classes = f"{ROOT}/gatewayclasses"
    named = {"apiVersion": API, "kind": "GatewayClass", "metadata": {"name": "kubelab"}}
    await api.post(classes, {**named, "spec": {"controllerName": "kubelab.dev/gateway"}})
    changed = await api.patch(f"{classes}/kubelab", {"spec": {"controllerName": "example.test/other"}})
    assert (changed.code, "a class keeps its controller" in changed.body["message"]) == (422, True)
    twice = route()
    twice["spec"]["parentRefs"] = [{"name": "web"}, {"name": "web", "group": gateway_api.GROUP}]
    assert "the same parent is there twice" in (await api.post(ROUTES, twice)).body["message"]
    twice["spec"]["parentRefs"] = [{"name": "web", "sectionName": name} for name in ("http", "https")]
    assert (await api.post(ROUTES, twice)).code == 201


async def test_all_that_a_course_teaches_is_taken(api) -> None:
    headers = {"set": [{"name": "X-Shop", "value": "1"}], "add": [{"name": "Via", "value": "k"}], "remove": ["Cookie"]}
    taken = route(
        parent={"name": "web", "namespace": "infra", "sectionName": "https"},
        matches=[
            {"path": {"type": "PathPrefix", "value": "/v1"}, "method": "GET", "headers": [{"name": "a", "value": "b"}]}
        ],
        filters=[
            {"type": "RequestHeaderModifier", "requestHeaderModifier": headers},
            {"type": "ResponseHeaderModifier", "responseHeaderModifier": headers},
            rewrite(hostname="api.example.test", path={"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}),
        ],
        backendRefs=[{"name": "a", "port": 80, "weight": 9}, {"name": "b", "namespace": "other", "port": 80}],
        timeouts={"request": "1m30s", "backendRequest": "500ms"},
    )
    made = await api.post(f"{ROUTES}?fieldValidation=Strict", taken)
    assert made.code == 201, made.raw
    grant = {
        "apiVersion": API,
        "kind": "ReferenceGrant",
        "metadata": {"name": "g"},
        "spec": {
            "from": [{"group": gateway_api.GROUP, "kind": "HTTPRoute", "namespace": "default"}],
            "to": [{"group": "", "kind": "Service"}],
        },
    }
    assert (await api.post(f"{ROOT}/namespaces/default/referencegrants", grant)).code == 201
    older = await api.get("/apis/gateway.networking.k8s.io/v1beta1/namespaces/default/referencegrants/g")
    assert (older.code, older.body["apiVersion"]) == (200, "gateway.networking.k8s.io/v1beta1")


async def test_definitions_that_are_there_stay_as_they_are(client) -> None:
    for definition in gateway_api.definitions():
        name = definition["metadata"]["name"]
        if name.startswith("gateways"):
            await client.patch(CUSTOMRESOURCEDEFINITIONS, name, {"metadata": {"annotations": {"mine": "yes"}}})
        else:
            await client.delete(CUSTOMRESOURCEDEFINITIONS, name)
    await gateway_api.install(client)
    [left] = (await client.list(CUSTOMRESOURCEDEFINITIONS))["items"]
    assert left["metadata"]["annotations"]["mine"] == "yes"


async def test_a_reset_takes_the_objects_and_leaves_the_definitions(api, client) -> None:
    names = {"plural": "lamps", "kind": "Lamp"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    lamps = {"group": "example.test", "scope": "Namespaced", "names": names, "versions": [version]}
    await client.create(CUSTOMRESOURCEDEFINITIONS, {"metadata": {"name": "lamps.example.test"}, "spec": lamps})
    await client.create(GATEWAYS, gateway(), "default")
    await client.create(GATEWAYS, gateway(), "kube-system")
    await api.post(ROUTES, route())
    await reset(client)
    assert (await client.list(GATEWAYS))["items"] == []
    assert (await api.get(ROUTES)).body["items"] == []
    left = (await client.list(CUSTOMRESOURCEDEFINITIONS))["items"]
    assert {one["spec"]["group"] for one in left} == {gateway_api.GROUP}


def fuller(definition: dict[str, Any]) -> dict[str, Any]:
    """As the project's own files differ: a newer bundle, one version more, fields that ours leave out."""
    newer = copy.deepcopy(definition)
    newer["metadata"]["annotations"] = {
        f"{gateway_api.GROUP}/bundle-version": "v1.99.0",
        "api-approved.kubernetes.io": "https://example.test/approved",
    }
    spec = newer["spec"]
    spec["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["tls"] = {"type": "object"}
    if len(spec["versions"]) == 1:
        spec["versions"].append({**copy.deepcopy(spec["versions"][0]), "name": "v1beta1", "storage": False})
    return newer


@with_kubectl
async def test_the_projects_own_files_applied_later_win_and_objects_stay(kubectl, client) -> None:
    await client.create(GATEWAYS, gateway(), "default")
    newer = [fuller(one) for one in gateway_api.definitions()]
    said = await kubectl.ok("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(newer))
    assert said.count("serverside-applied") == 4
    served = await kubectl.ok("get", "gateways.v1beta1.gateway.networking.k8s.io", "web", "-o", "json")
    assert json.loads(served)["spec"]["listeners"][0]["allowedRoutes"] == {"namespaces": {"from": "Same"}}
    with_more = gateway("more")
    with_more["spec"]["tls"] = {}
    assert "tls" in (await client.create(GATEWAYS, with_more, "default"))["spec"]
    await gateway_api.install(client)
    found = await client.get(CUSTOMRESOURCEDEFINITIONS, "gateways.gateway.networking.k8s.io")
    assert found["metadata"]["annotations"][f"{gateway_api.GROUP}/bundle-version"] == "v1.99.0"


MANIFESTS = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web}
spec: {gatewayClassName: kubelab, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: web}]
  hostnames: [shop.example.test]
  rules:
  - matches: [{path: {value: /cart}}]
    backendRefs: [{name: cart, port: 80}]
"""


@with_kubectl
async def test_kubectls_ways_with_gateways_and_routes(kubectl) -> None:
    await kubectl.ok("apply", "-f", "-", stdin=MANIFESTS)
    version = ("get", "httproute", "shop", "-o", "jsonpath={.metadata.resourceVersion}")
    before = await kubectl.ok(*version)
    await kubectl.ok("apply", "-f", "-", stdin=MANIFESTS)  # "configured": kubectl cannot tell defaults in a list
    assert await kubectl.ok(*version) == before
    compared = await kubectl("diff", "-f", "-", stdin=MANIFESTS.replace("port: 80}]\n", "port: 81}]\n"))
    assert (compared.returncode, "port: 81" in compared.stdout) == (1, True), compared.stderr
    await kubectl.ok("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=MANIFESTS.replace("/cart", "/c"))
    await kubectl.ok("edit", "httproute", "shop", KUBE_EDITOR="sed -i s#value:./c#value:\\ /d#")
    await kubectl.ok("patch", "httproute", "shop", "--type=merge", "-p", '{"spec":{"hostnames":["a.test"]}}')
    path = "jsonpath={.spec.hostnames[0]}{.spec.rules[0].matches[0].path.value}"
    assert await kubectl.ok("get", "httproute", "shop", "-o", path) == "a.test/d"
    assert re.search(r"NAME +HOSTNAMES +AGE\nshop +\[\"a.test\"\]", await kubectl.ok("get", "httproutes"))
    table = await kubectl.ok("get", "gtw")
    assert re.search(r"NAME +CLASS +ADDRESS +PROGRAMMED +AGE\nweb +kubelab +Unknown", table), table
    explained = await kubectl.ok("explain", "httproute.spec.rules.backendRefs.weight")
    assert "FIELD: weight <integer>" in explained
    assert "0 gets nothing" in explained
    unknown = await kubectl.fails("apply", "-f", "-", stdin=MANIFESTS.replace("matches:", "match:"))
    assert 'unknown field "spec.rules[0].match"' in unknown
