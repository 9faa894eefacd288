"""kubectl auth can-i, and what webhooks and kubelets ask."""

from __future__ import annotations

import pytest

AUTHZ = "/apis/authorization.k8s.io/v1"


def asked(verb: str, resource: str, **more: str) -> dict:
    return {"spec": {"resourceAttributes": {"verb": verb, "resource": resource, **more}}}


async def test_may_i_and_why(who, roles) -> None:
    await roles.bind("default", "ClusterRole", "view", roles.user("bob"), name="seers")
    path = f"{AUTHZ}/selfsubjectaccessreviews"
    yes = await who("bob")("POST", path, asked("list", "pods", namespace="default"))
    assert yes.body["status"] == {
        "allowed": True,
        "reason": 'RBAC: allowed by RoleBinding "seers/default" of ClusterRole "view" to User "bob"',
    }
    assert (await who("bob")("POST", path, asked("list", "pods"))).body["status"] == {"allowed": False}
    url = {"spec": {"nonResourceAttributes": {"verb": "get", "path": "/metrics"}}}
    assert (await who("bob")("POST", path, url)).body["status"] == {"allowed": False}
    owner = await who("kubernetes-admin")("POST", path, url)
    assert owner.body["status"] == {"allowed": True}


async def test_may_they(api, who, roles) -> None:
    await roles.bind("default", "ClusterRole", "view", roles.group("class"))
    path = f"{AUTHZ}/subjectaccessreviews"
    question = asked("get", "pods", namespace="default", subresource="log")
    for groups, allowed in ((["class"], True), (["others"], False)):
        answer = await api.post(path, {"spec": {**question["spec"], "user": "bob", "groups": groups}})
        assert answer.body["status"]["allowed"] is allowed
    assert await who("bob").code("POST", path, {"spec": {**question["spec"], "user": "eve"}}) == 403


async def test_a_namespaces_admin_may_ask_about_others_there(who, roles, why) -> None:
    await roles.bind("default", "ClusterRole", "admin", roles.user("ann"))
    path = f"{AUTHZ}/namespaces/default/localsubjectaccessreviews"
    question = asked("get", "pods", namespace="default")["spec"]
    answer = await who("ann")("POST", path, {"spec": {**question, "user": "bob"}})
    assert (answer.code, answer.body["status"]) == (201, {"allowed": False})
    elsewhere = asked("get", "pods", namespace="kube-system")["spec"]
    answer = await who("ann")("POST", path, {"spec": {**elsewhere, "user": "bob"}})
    assert why(answer) == [("spec.resourceAttributes.namespace", "Invalid")]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"user": "x"}, "spec.resourceAttributes"),
        ({"user": "x", "resourceAttributes": {}, "nonResourceAttributes": {}}, "spec.resourceAttributes"),
        ({"resourceAttributes": {"verb": "get"}}, "spec.user"),
    ],
)
async def test_half_a_question_is_none(api, why, spec, field) -> None:
    assert why(await api.post(f"{AUTHZ}/subjectaccessreviews", {"spec": spec})) == [(field, "Invalid")]


async def test_all_that_i_may_there(who, roles, rule) -> None:
    await roles.grant("default", "bob", rule("get", "pods", "", ("web",)))
    answer = await who("bob")("POST", f"{AUTHZ}/selfsubjectrulesreviews", {"spec": {"namespace": "default"}})
    status = answer.body["status"]
    assert status["incomplete"] is False
    assert rule("get", "pods", "", ("web",)) in status["resourceRules"]
    assert any("/healthz" in one["nonResourceURLs"] for one in status["nonResourceRules"])
    assert (await who("bob")("POST", f"{AUTHZ}/selfsubjectrulesreviews", {"spec": {}})).code == 400
