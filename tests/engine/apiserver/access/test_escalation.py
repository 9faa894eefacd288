"""Nobody grants what they do not have."""

from __future__ import annotations

import pytest

RBAC = "/apis/rbac.authorization.k8s.io/v1"
HERE = f"{RBAC}/namespaces/default"


@pytest.fixture
async def admin(who, roles):
    """May do everything in the namespace default, roles and bindings included, and nothing elsewhere."""
    await roles.bind("default", "ClusterRole", "admin", roles.user("ann"), name="ann")
    return who("ann")


def binding(name: str, kind: str, role: str, user: str = "bob") -> dict:
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
    return {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}


async def test_a_namespaces_admin_grants_what_she_has(admin, who, rule) -> None:
    made = await admin(
        "POST", f"{HERE}/roles", {"metadata": {"name": "r"}, "rules": [rule("get,list", "pods secrets")]}
    )
    assert made.code == 201
    assert (await admin("POST", f"{HERE}/rolebindings", binding("r", "Role", "r"))).code == 201
    assert (await admin("POST", f"{HERE}/rolebindings", binding("v", "ClusterRole", "edit"))).code == 201
    assert await who("bob").code("GET", "/api/v1/namespaces/default/secrets") == 200


async def test_and_nothing_that_she_lacks(admin, rule) -> None:
    wish = {"metadata": {"name": "r"}, "rules": [rule("get,list", "nodes"), rule("get", "pods")]}
    refused = await admin("POST", f"{HERE}/roles", wish)
    assert (refused.code, refused.body["reason"]) == (403, "Forbidden")
    assert refused.body["message"] == (
        'roles.rbac.authorization.k8s.io "r" is forbidden: user "ann" (groups=["system:authenticated"]) is attempting '
        'to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["nodes"], Verbs:["get" "list"]}'
    )


@pytest.mark.parametrize(
    "asked",
    [("*", "pods"), ("get", "*"), ("get", "pods", "*"), ("impersonate", "users"), ("get", "pods/ephemeralcontainers")],
)
async def test_a_star_is_more_than_what_it_stands_for(admin, rule, asked) -> None:
    refused = await admin("POST", f"{HERE}/roles", {"metadata": {"name": "r"}, "rules": [rule(*asked)]})
    assert refused.code == 403


@pytest.mark.parametrize("role", ["cluster-admin", "system:node", "system:controller:node-controller"])
async def test_a_binding_gives_no_more_than_the_binder_has(admin, role) -> None:
    refused = await admin("POST", f"{HERE}/rolebindings", binding("r", "ClusterRole", role, "ann"))
    assert refused.code == 403
    assert "not currently held" in refused.body["message"]


async def test_a_role_that_is_held_already_cannot_grow_beyond_its_holder(api, admin, rule) -> None:
    path = f"{HERE}/roles/r"
    await admin("POST", f"{HERE}/roles", {"metadata": {"name": "r"}, "rules": [rule("get", "pods")]})
    bigger = {"metadata": {"name": "r"}, "rules": [rule("get", "nodes")]}
    assert (await admin("PUT", path, bigger)).code == 403
    merge, apply = "application/merge-patch+json", "application/apply-patch+yaml"
    assert (await admin("PATCH", path, {"rules": bigger["rules"]}, content_type=merge)).code == 403
    typed = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", **bigger}
    forced = await admin("PATCH", f"{path}?fieldManager=x&force=true", typed, content_type=apply)
    assert forced.code == 403
    assert (await api.get(path)).body["rules"] == [rule("get", "pods")]
    labelled = await admin("PATCH", path, {"metadata": {"labels": {"a": "b"}}}, content_type=merge)
    assert labelled.code == 200


async def test_a_binding_to_a_role_that_is_not_there_is_refused_to_all_but_the_owner(admin, api) -> None:
    refused = await admin("POST", f"{HERE}/rolebindings", binding("r", "Role", "nope"))
    assert (refused.code, refused.body["message"]) == (404, 'roles.rbac.authorization.k8s.io "nope" not found')
    assert (await api.post(f"{HERE}/rolebindings", binding("r", "Role", "nope"))).code == 201


async def test_the_verbs_escalate_and_bind_lift_the_rule(who, roles, rule) -> None:
    group = "rbac.authorization.k8s.io"
    await roles.grant("default", "ann", rule("create,escalate", "roles", group), rule("create", "rolebindings", group))
    ann = who("ann")
    wish = {"metadata": {"name": "r"}, "rules": [rule("get", "secrets")]}
    assert (await ann("POST", f"{HERE}/roles", wish)).code == 201
    assert (await ann("POST", f"{HERE}/rolebindings", binding("r", "Role", "r"))).code == 403
    await roles.grant("default", "ann", rule("bind", "roles", group, ("r",)), name="binder")
    assert (await ann("POST", f"{HERE}/rolebindings", binding("r", "Role", "r"))).code == 201


async def test_only_who_may_do_everything_makes_a_role_of_others(who, roles, rule) -> None:
    await roles.grant("", "ann", rule("create,update", "clusterroles", "rbac.authorization.k8s.io"))
    selector = {"matchLabels": {"collect": "me"}}
    wish = {"metadata": {"name": "all"}, "aggregationRule": {"clusterRoleSelectors": [selector]}}
    refused = await who("ann")("POST", f"{RBAC}/clusterroles", wish)
    assert refused.code == 403
    assert "must have cluster-admin privileges to use the aggregationRule" in refused.body["message"]


async def test_aggregated_roles_follow_the_roles_that_they_are_made_of(api, who, roles, rule) -> None:
    await roles.bind("default", "ClusterRole", "admin", roles.user("ann"))
    path = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes"
    label = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    assert await who("ann").code("GET", path) == 403
    await roles.role("", "routes", rule("list", "httproutes", "gateway.networking.k8s.io"), labels=label)
    assert await who("ann").code("GET", path) == 404  # view is in edit, edit in admin
    await api.delete(f"{RBAC}/clusterroles/routes")
    assert await who("ann").code("GET", path) == 403


async def test_what_a_binding_leads_to_never_changes(api, roles, why) -> None:
    await roles.bind("default", "ClusterRole", "view", roles.user("bob"), name="b")
    new = {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}}
    assert why(await api.patch(f"{HERE}/rolebindings/b", new)) == [("roleRef", "Invalid")]


@pytest.mark.parametrize(
    ("kind", "wish", "causes"),
    [
        ("roles", {"rules": [{}]}, [("rules[0].apiGroups", "Required"), ("rules[0].resources", "Required"),
                                    ("rules[0].verbs", "Required")]),
        ("roles", {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]},
         [("rules[0].nonResourceURLs", "Invalid")]),
        ("rolebindings", {"roleRef": {"kind": "Rol", "name": "a/b"}},
         [("roleRef.kind", "NotSupported"), ("roleRef.name", "Invalid")]),
        ("rolebindings", {"roleRef": {"kind": "Role", "name": "a"}, "subjects": [{"kind": "Users", "name": "x"}]},
         [("subjects[0].kind", "NotSupported")]),
    ],
)  # fmt: skip
async def test_roles_and_bindings_are_checked(api, why, kind, wish, causes) -> None:
    assert sorted(why(await api.post(f"{HERE}/{kind}", {"metadata": {"name": "x"}, **wish}))) == causes


async def test_a_role_may_be_named_like_a_path_segment(api) -> None:
    assert (await api.post(f"{HERE}/roles", {"metadata": {"name": "system:my_Role"}, "rules": []})).code == 201
    assert (await api.get(f"{HERE}/roles/system:my_Role")).code == 200
    assert (await api.post(f"{HERE}/roles", {"metadata": {"name": "a%b"}, "rules": []})).code == 422
