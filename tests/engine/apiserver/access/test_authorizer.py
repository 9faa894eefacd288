"""What roles let through, and what is said of the rest."""

from __future__ import annotations

import pytest

from kubelab.engine.apiserver import ApiServer, ApiServerSettings

PODS = "/api/v1/namespaces/{}/pods"


async def test_nobody_may_anything_that_no_role_gives(who) -> None:
    refused = await who("bob")("GET", PODS.format("default"))
    assert (refused.code, refused.body["reason"], refused.body["details"]) == (403, "Forbidden", {"kind": "pods"})
    assert refused.body["message"] == (
        'pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "default"'
    )
    refused = await who("bob")("PATCH", "/apis/apps/v1/namespaces/x/deployments/web/scale", {})
    assert refused.body["details"] == {"name": "web", "group": "apps", "kind": "deployments"}
    assert refused.body["message"] == (
        'deployments.apps "web" is forbidden: User "bob" cannot patch resource "deployments/scale" '
        'in API group "apps" in the namespace "x"'
    )
    refused = await who("bob")("GET", "/api/v1/nodes")
    assert refused.body["message"].endswith('cannot list resource "nodes" in API group "" at the cluster scope')


async def test_a_role_counts_in_its_namespace_and_a_cluster_role_bound_there_too(who, roles, rule) -> None:
    for name in ("a", "b"):
        await roles.namespace(name)
    await roles.grant("a", "bob", rule("get,list,watch", "pods"))
    await roles.bind("b", "ClusterRole", "view", roles.user("eve"))
    bob, eve = who("bob"), who("eve")
    assert [await bob.code("GET", PODS.format(one)) for one in ("a", "b")] == [200, 403]
    assert [await eve.code("GET", PODS.format(one)) for one in ("a", "b")] == [403, 200]
    assert await bob.code("GET", "/api/v1/pods") == 403
    assert await eve.code("GET", "/api/v1/namespaces/b") == 200
    assert await eve.code("GET", "/api/v1/namespaces/b/secrets") == 403


async def test_a_cluster_role_bound_to_the_cluster_counts_everywhere(who, roles, rule) -> None:
    await roles.grant("", "bob", rule("list", "pods"), rule("get", url="/metrics/*"))
    assert await who("bob").code("GET", "/api/v1/pods") == 200
    assert await who("bob").code("GET", PODS.format("default")) == 200
    assert await who("bob").code("GET", "/metrics/slis") == 404
    assert await who("bob").code("GET", "/metrics") == 403


@pytest.mark.parametrize(
    ("given", "path", "code"),
    [
        (("get", "pods"), "/api/v1/namespaces/default/pods/web/log", 403),
        (("get", "pods/log"), "/api/v1/namespaces/default/pods/web/log", 404),
        (("get", "*/log"), "/api/v1/namespaces/default/pods/web/log", 404),
        (("get", "*"), "/api/v1/namespaces/default/pods/web/log", 404),
        (("*", "pods"), "/api/v1/namespaces/default/pods/web", 404),
        (("get", "*/log"), "/api/v1/namespaces/default/pods/web", 403),
        (("get", "deployments"), "/apis/apps/v1/namespaces/default/deployments/web", 403),
        (("get", "deployments", "*"), "/apis/apps/v1/namespaces/default/deployments/web", 404),
        (("get", "pods", "", ("other",)), "/api/v1/namespaces/default/pods/web", 403),
        (("get", "pods", "", ("web",)), "/api/v1/namespaces/default/pods/web", 404),
        (("list", "pods", "", ("web",)), "/api/v1/namespaces/default/pods", 403),
        (("list", "pods", "", ("web",)), "/api/v1/namespaces/default/pods?fieldSelector=metadata.name=web", 200),
        (("list", "pods", "", ("web",)), "/api/v1/namespaces/default/pods?fieldSelector=metadata.name!=web", 403),
    ],
)
async def test_a_rule_means_verbs_groups_resources_and_names(who, roles, rule, given, path, code) -> None:
    await roles.grant("default", "bob", rule(*given))
    assert await who("bob").code("GET", path) == code


async def test_groups_and_service_accounts_are_bound_like_users(who, roles, rule) -> None:
    await roles.role("default", "reader", rule("list", "pods"))
    account = roles.account("other", "robot")
    await roles.bind("default", "Role", "reader", roles.group("system:serviceaccounts:other"), account)
    assert await who("system:serviceaccount:other:robot").code("GET", PODS.format("default")) == 200
    assert await who("system:serviceaccount:other:any").code("GET", PODS.format("default")) == 200
    assert await who("system:serviceaccount:third:robot").code("GET", PODS.format("default")) == 403


async def test_what_is_taken_away_is_gone_with_the_next_request(api, who, roles, rule) -> None:
    await roles.grant("default", "bob", rule("list", "pods"))
    assert await who("bob").code("GET", PODS.format("default")) == 200
    path = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    await api.patch(f"{path}/roles/granted", {"rules": [rule("list", "services")]})
    assert await who("bob").code("GET", PODS.format("default")) == 403
    assert await who("bob").code("GET", "/api/v1/namespaces/default/services") == 200
    await api.patch(f"{path}/rolebindings/to-granted", {"subjects": [roles.user("eve")]})
    assert await who("bob").code("GET", "/api/v1/namespaces/default/services") == 403
    assert await who("eve").code("GET", "/api/v1/namespaces/default/services") == 200
    await api.delete(f"{path}/rolebindings/to-granted")
    assert await who("eve").code("GET", "/api/v1/namespaces/default/services") == 403


async def test_rights_outlive_the_server(tmp_path, api_of, roles_of, who_of, rule) -> None:
    settings = ApiServerSettings(tokens={"a-token": "kubernetes-admin"})
    first = ApiServer.open(tmp_path / "db", settings)
    await roles_of(api_of(first)).grant("default", "bob", rule("list", "pods"))
    await first.close()
    again = ApiServer.open(tmp_path / "db", settings)
    code = await who_of(api_of(again), "bob").code("GET", PODS.format("default"))
    await again.close()
    assert code == 200


async def test_a_missing_role_is_named_when_that_is_why(who, roles) -> None:
    await roles.bind("default", "Role", "gone", roles.user("bob"))
    refused = await who("bob")("GET", PODS.format("default"))
    assert refused.body["message"].endswith(': RBAC: role.rbac.authorization.k8s.io "gone" not found')


async def test_a_put_or_an_apply_that_creates_needs_the_right_to_create(who, roles, rule) -> None:
    await roles.grant("default", "bob", rule("get,update,patch", "services configmaps"))
    service = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    refused = await who("bob")("PUT", "/api/v1/namespaces/default/services/web", service)
    assert (refused.code, "cannot create resource" in refused.body["message"]) == (403, True)
    applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    path = "/api/v1/namespaces/default/configmaps/c?fieldManager=me"
    refused = await who("bob")("PATCH", path, applied, content_type="application/apply-patch+yaml")
    assert (refused.code, "cannot create resource" in refused.body["message"]) == (403, True)


async def test_everybody_may_see_what_there_is_and_the_unknown_only_that_it_lives(who, api) -> None:
    for path in ("/api", "/apis", "/apis/apps/v1", "/openapi/v3", "/version", "/readyz"):
        assert await who("bob").code("GET", path) == 200, path
    for path, code in (("/version", 200), ("/readyz", 200), ("/livez", 200), ("/healthz", 200), ("/apis", 403)):
        assert (await api.get(path, authorization="")).code == code, path
