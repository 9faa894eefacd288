"""A node's agent sees what its pods need, and nothing of another node."""

from __future__ import annotations

import pytest

NODE = "system:node:one"
HOME = "/api/v1/namespaces/default"


@pytest.fixture
async def node(api, who, make):
    """The agent of node one, on which the pod `web` runs; `other` runs on node two."""
    for name in ("plain", "projected", "env", "pull", "private"):
        await api.post(f"{HOME}/secrets", {"metadata": {"name": name}})
    await api.post(f"{HOME}/configmaps", {"metadata": {"name": "settings"}})
    for name in ("one", "two"):
        await api.post("/api/v1/nodes", {"metadata": {"name": name}})
    volumes = [
        {"name": "a", "secret": {"secretName": "plain"}},
        {"name": "b", "projected": {"sources": [{"secret": {"name": "projected"}}]}},
        {"name": "c", "configMap": {"name": "settings"}},
    ]
    container = make.pod()["spec"]["containers"][0]
    reference = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "env", "key": "k"}}}
    spec = {
        "volumes": volumes,
        "containers": [{**container, "env": [reference]}],
        "imagePullSecrets": [{"name": "pull"}],
    }
    assert (await api.post(f"{HOME}/pods", make.pod(nodeName="one", **spec))).code == 201
    assert (await api.post(f"{HOME}/pods", make.pod("other", nodeName="two"))).code == 201
    return who(NODE)


@pytest.mark.parametrize("secret", ["plain", "projected", "env", "pull"])
async def test_it_reads_and_watches_the_secrets_that_its_pods_name(node, secret) -> None:
    assert await node.code("GET", f"{HOME}/secrets/{secret}") == 200
    one = f"fieldSelector=metadata.name={secret}"
    assert await node.code("GET", f"{HOME}/secrets?{one}") == 200
    assert await node.code("GET", f"{HOME}/secrets?watch=1&{one}") == 200


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", f"{HOME}/secrets/private", 403),
        ("GET", f"{HOME}/secrets", 403),
        ("GET", "/api/v1/secrets?fieldSelector=metadata.name=plain", 403),
        ("PUT", f"{HOME}/secrets/plain", 403),
        ("GET", f"{HOME}/configmaps/settings", 200),
        ("GET", f"{HOME}/configmaps/kube-root-ca.crt", 404),  # every pod mounts it; here nobody makes it
        ("GET", "/api/v1/services", 200),
        ("GET", "/api/v1/pods", 403),
        ("GET", "/api/v1/pods?fieldSelector=spec.nodeName=two", 403),
        ("GET", "/api/v1/pods?fieldSelector=spec.nodeName=one", 200),
        ("GET", f"{HOME}/pods/web", 200),
        ("GET", f"{HOME}/pods/other", 403),
        ("PATCH", f"{HOME}/pods/other/status", 403),
        ("DELETE", f"{HOME}/pods/other", 403),
        ("DELETE", f"{HOME}/pods/web", 200),
        ("GET", "/api/v1/nodes/one", 200),
        ("GET", "/api/v1/nodes/two", 403),
        ("GET", "/api/v1/nodes", 403),
        ("PATCH", "/api/v1/nodes/two", 403),
        ("PATCH", "/api/v1/nodes/two/status", 403),
        ("DELETE", "/api/v1/nodes/one", 403),
        ("GET", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/one", 404),
        ("PATCH", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/two", 403),
        ("PATCH", "/apis/coordination.k8s.io/v1/namespaces/default/leases/one", 403),
        ("POST", f"{HOME}/serviceaccounts/another/token", 403),
        ("GET", "/apis/apps/v1/deployments", 403),
    ],
)
async def test_what_it_may_and_may_not(node, method, path, code) -> None:
    body = None if method in ("GET", "DELETE") else {}
    assert await node.code(method, path, body) == code


@pytest.mark.parametrize(("pod", "code"), [("web", 201), ("other", 403), ("", 403)])
async def test_it_gets_tokens_that_die_with_its_own_pods(node, pod, code) -> None:
    spec = {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": pod}} if pod else {}
    assert await node.code("POST", f"{HOME}/serviceaccounts/default/token", {"spec": spec}) == code


async def test_it_makes_no_node_and_no_pod_but_its_own(node, make) -> None:
    refused = await node("POST", "/api/v1/nodes", {"metadata": {"name": "three"}})
    assert (refused.code, 'is not allowed to modify node "three"' in refused.body["message"]) == (403, True)
    assert await node.code("POST", f"{HOME}/pods", make.pod("mine", nodeName="one")) == 403


async def test_a_name_alone_makes_no_node(who) -> None:
    impersonated = {"impersonate_user": NODE}
    assert await who("kubernetes-admin").code("GET", "/api/v1/services", **impersonated) == 403
    nodes = {**impersonated, "impersonate_group": "system:nodes"}
    assert await who("kubernetes-admin").code("GET", "/api/v1/services", **nodes) == 200
