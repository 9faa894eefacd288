"""Two learners in one cluster: what one of them tries against the other, the nodes and the control plane."""

from __future__ import annotations

import pytest

ADA = "system:serviceaccount:ada:learner"
AUTHZ = "/apis/authorization.k8s.io/v1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture
async def ada(api, who, roles, make):
    """Ada may do everything in her namespace; Bob has one too, with a pod, a Secret and an account in it."""
    for name in ("ada", "bob"):
        await roles.namespace(name)
        await api.post(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "learner"}})
        await api.post(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})
        await roles.bind(name, "ClusterRole", "admin", roles.account(name, "learner"))
        assert (await api.post(f"/api/v1/namespaces/{name}/pods", make.pod())).code == 201
        await api.post(f"/api/v1/namespaces/{name}/secrets", {"metadata": {"name": "key"}})
    return who(ADA)


ATTACKS = [
    # reading what is another's
    ("GET", "/api/v1/namespaces/bob/pods"),
    ("GET", "/api/v1/namespaces/bob/pods/web"),
    ("GET", "/api/v1/namespaces/bob/pods/web/log"),
    ("GET", "/api/v1/namespaces/bob/secrets/key"),
    ("GET", "/api/v1/namespaces/bob/secrets?watch=1"),
    ("GET", "/api/v1/namespaces/bob"),
    ("GET", "/api/v1/namespaces/bob/events"),
    # all namespaces at once
    ("GET", "/api/v1/pods"),
    ("GET", "/api/v1/secrets"),
    ("GET", "/api/v1/secrets?watch=1"),
    ("GET", "/api/v1/secrets?watch=1&resourceVersion=0"),
    ("GET", "/api/v1/secrets?fieldSelector=metadata.namespace=ada"),
    ("GET", "/api/v1/pods?watch=TRUE"),
    ("GET", "/apis/events.k8s.io/v1/events"),
    ("GET", "/api/v1/namespaces"),
    # paths that another reader might understand differently
    ("GET", "/api/v1/namespaces/ada/../bob/secrets/key"),
    ("GET", "/api/v1/namespaces/ada%2f..%2fbob/secrets/key"),
    ("GET", "/api/v1//namespaces/bob/secrets/key"),
    ("GET", "//api/v1/namespaces/bob/secrets/key"),
    ("GET", "/api/v1/namespaces/bob/secrets/key/"),
    ("GET", "/api/v1/namespaces/%62ob/secrets/key"),
    ("GET", "/api/v1/watch/namespaces/bob/secrets"),
    ("GET", "/api/v1/proxy/namespaces/bob/pods/web"),
    ("HEAD", "/api/v1/namespaces/bob/secrets/key"),
    # writing
    ("POST", "/api/v1/namespaces/bob/pods"),
    ("DELETE", "/api/v1/namespaces/bob/pods/web"),
    ("DELETE", "/api/v1/namespaces/bob/pods"),
    ("PUT", "/api/v1/namespaces/bob/configmaps/new"),
    ("POST", "/api/v1/namespaces"),
    ("DELETE", "/api/v1/namespaces/ada"),
    ("DELETE", "/api/v1/namespaces/bob"),
    ("PUT", "/api/v1/namespaces/ada/finalize"),
    ("POST", "/api/v1/namespaces/bob/pods/web/eviction"),
    # into pods
    ("POST", "/api/v1/namespaces/bob/pods/web/exec?command=id"),
    ("GET", "/api/v1/namespaces/bob/pods/web/exec?command=id"),
    ("POST", "/api/v1/namespaces/bob/pods/web/attach"),
    ("POST", "/api/v1/namespaces/bob/pods/web/portforward"),
    ("GET", "/api/v1/namespaces/bob/pods/web/proxy/"),
    ("PATCH", "/api/v1/namespaces/bob/pods/web/ephemeralcontainers"),
    # nodes and what is the cluster's
    ("GET", "/api/v1/nodes"),
    ("GET", "/api/v1/nodes/kubelab-worker/proxy/pods"),
    ("GET", "/api/v1/nodes/kubelab-worker/proxy/run/bob/web/main"),
    ("PATCH", "/api/v1/nodes/kubelab-worker"),
    ("GET", "/api/v1/namespaces/kube-system/secrets"),
    ("GET", "/api/v1/namespaces/kube-system/configmaps"),
    ("GET", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"),
    ("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
    ("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
    ("GET", "/metrics"),
    # a binding of her own, in her own namespace
    ("POST", "/api/v1/namespaces/ada/pods/web/binding"),
    ("PUT", "/api/v1/namespaces/ada/pods/web/status"),
    # more rights
    ("GET", f"{RBAC}/clusterroles"),
    ("POST", f"{RBAC}/clusterroles"),
    ("POST", f"{RBAC}/clusterrolebindings"),
    ("PATCH", f"{RBAC}/clusterrolebindings/cluster-admin"),
    ("POST", f"{RBAC}/namespaces/bob/rolebindings"),
    ("POST", "/api/v1/namespaces/bob/serviceaccounts/learner/token"),
    ("POST", "/api/v1/namespaces/kube-system/serviceaccounts/default/token"),
    ("POST", f"{AUTHZ}/subjectaccessreviews"),
    ("POST", f"{AUTHZ}/namespaces/bob/localsubjectaccessreviews"),
    ("POST", "/apis/authentication.k8s.io/v1/tokenreviews"),
]


@pytest.mark.parametrize(("method", "path"), ATTACKS)
async def test_what_is_tried_is_refused_before_anything_else_is_said(ada, method, path) -> None:
    assert await ada.code(method, path, None if method in ("GET", "HEAD", "DELETE") else {}) in (403, 404)
    if "//" not in path and ".." not in path:
        assert await ada.code(method, path, None if method in ("GET", "HEAD", "DELETE") else {}) == 403


async def test_at_home_she_may(ada) -> None:
    home = "/api/v1/namespaces/ada"
    paths = (
        "",
        "/pods",
        "/pods/web",
        "/secrets/key",
        "/secrets?watch=1&timeoutSeconds=1",
        "/events",
        "/resourcequotas",
    )
    for path in paths:
        assert await ada.code("GET", home + path) == 200, path
    assert await ada.code("POST", f"{home}/serviceaccounts/learner/token", {"spec": {}}) == 201


async def test_nobody_learns_from_a_refusal_whether_something_is_there(ada) -> None:
    there = await ada("GET", "/api/v1/namespaces/bob/secrets/key")
    absent = await ada("GET", "/api/v1/namespaces/bob/secrets/yek")
    assert there.body["message"].replace("key", "") == absent.body["message"].replace("yek", "")
    nowhere = await ada("GET", "/api/v1/namespaces/nowhere/secrets/key")
    assert nowhere.body["message"].replace("nowhere", "bob") == there.body["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"impersonate_user": "kubernetes-admin"},
        {"impersonate_user": "system:serviceaccount:bob:learner"},
        {"impersonate_user": ADA, "impersonate_group": "system:masters"},
        {"impersonate_user": "system:node:kubelab-worker", "impersonate_group": "system:nodes"},
    ],
)
async def test_nor_in_somebody_elses_name(ada, headers) -> None:
    assert await ada.code("GET", "/api/v1/namespaces/bob/secrets/key", **headers) == 403


async def test_a_watch_shows_nothing_of_another_namespace(ada, api) -> None:
    stream = (await api.open("GET", "/api/v1/namespaces/ada/secrets?watch=1", kubelab_in_process_user=ADA)).body
    first = await anext(stream)
    await api.post("/api/v1/namespaces/bob/secrets", {"metadata": {"name": "another"}})
    await api.post("/api/v1/namespaces/ada/secrets", {"metadata": {"name": "own"}})
    second = await anext(stream)
    stream.close()
    assert (b'"key"' in first, b'"own"' in second, b"bob" in first + second) == (True, True, False)
