"""The real kubectl, with a learner's kubeconfig."""

from __future__ import annotations

import shutil

import pytest

from tests.engine.apiserver import network

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


@pytest.fixture
async def learner(kubectl, kubeconfig_path, tmp_path) -> network.Kubectl:
    """Ada's kubectl, with a token that the owner's made for her."""
    for name in ("ada", "bob"):
        await kubectl.ok("create", "namespace", name)
    await kubectl.ok("create", "serviceaccount", "learner", "-n", "ada")
    await kubectl.ok(
        "create", "rolebinding", "learner", "-n", "ada", "--clusterrole=edit", "--serviceaccount=ada:learner"
    )
    token = (await kubectl.ok("create", "token", "learner", "-n", "ada", "--duration=1h")).strip()
    path = tmp_path / "learner"
    path.write_text(kubeconfig_path.read_text().replace(network.TOKEN, token).replace("default", "ada"))
    return network.Kubectl(path, tmp_path)


async def test_a_learner_works_in_her_namespace_and_is_refused_elsewhere(learner) -> None:
    await learner.ok("create", "deployment", "web", "--image=nginx")
    assert "web" in await learner.ok("get", "deployments")
    assert await learner.fails("get", "pods", "-n", "bob") == (
        'Error from server (Forbidden): pods is forbidden: User "system:serviceaccount:ada:learner" cannot list '
        'resource "pods" in API group "" in the namespace "bob"\n'
    )
    for command in (["get", "pods", "-A"], ["get", "nodes"], ["delete", "ns", "bob"], ["create", "ns", "eve"]):
        assert "(Forbidden)" in await learner.fails(*command)
    assert "(Forbidden)" in await learner.fails("get", "--raw", "/api/v1/nodes/kubelab-worker/proxy/pods")


async def test_who_am_i_and_what_may_i(learner, kubectl) -> None:
    shown = await learner.ok("auth", "whoami")
    assert "system:serviceaccount:ada:learner" in shown
    assert await learner.ok("auth", "can-i", "create", "deployments") == "yes\n"
    assert (await learner("auth", "can-i", "get", "pods", "-n", "bob")).stdout == "no\n"
    listed = await learner.ok("auth", "can-i", "--list")
    assert "deployments.apps" in listed
    assert "selfsubjectaccessreviews.authorization.k8s.io" in listed
    assert await kubectl.ok("auth", "can-i", "*", "*", "-A") == "yes\n"
    as_learner = ("--as=system:serviceaccount:ada:learner", "-n", "ada")
    assert await kubectl.ok("auth", "can-i", "delete", "pods", *as_learner) == "yes\n"
    assert "cannot impersonate" in await learner.fails("get", "pods", "--as=kubernetes-admin")


async def test_roles_and_bindings_are_made_and_shown(kubectl) -> None:
    await kubectl.ok("create", "role", "reader", "--verb=get,list", "--resource=pods,pods/log", "--resource-name=web")
    await kubectl.ok("create", "clusterrole", "scraper", "--verb=get", "--non-resource-url=/metrics")
    await kubectl.ok("create", "clusterrole", "joined", "--aggregation-rule=team=a")
    await kubectl.ok("create", "rolebinding", "readers", "--role=reader", "--user=bob", "--group=class")
    await kubectl.ok("create", "clusterrolebinding", "scrapers", "--clusterrole=scraper", "--serviceaccount=x:y")
    head, row = (await kubectl.ok("get", "rolebindings", "-o", "wide")).splitlines()
    assert head.split() == ["NAME", "ROLE", "AGE", "USERS", "GROUPS", "SERVICEACCOUNTS"]
    assert row.split()[:2] + row.split()[3:] == ["readers", "Role/reader", "bob", "class"]
    assert (await kubectl.ok("get", "roles")).split()[:3] == ["NAME", "CREATED", "AT"]
    assert "pods/log" in await kubectl.ok("describe", "role", "reader")
    await kubectl.ok("set", "subject", "rolebinding", "readers", "--user=eve")
    assert "eve" in await kubectl.ok("describe", "rolebinding", "readers")


async def test_auth_reconcile_brings_rights_up_to_date(kubectl) -> None:
    text = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: r, namespace: default}
rules: [{verbs: [VERB], apiGroups: [""], resources: [pods]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: r, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: KIND, name: r}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: bob}]
"""
    first = text.replace("VERB", "get").replace("KIND", "Role")
    assert "reconciled" in await kubectl.ok("auth", "reconcile", "-f", "-", stdin=first)
    await kubectl.ok("auth", "reconcile", "-f", "-", stdin=text.replace("VERB", "list").replace("KIND", "ClusterRole"))
    assert "get list" in await kubectl.ok("describe", "role", "r")
    assert "ClusterRole/r" in await kubectl.ok("get", "rolebinding", "r")
