"""What a cluster begins with."""

from __future__ import annotations

from kubelab.engine.apiserver import ApiServer, ApiServerSettings
from kubelab.engine.apiserver.access.policy.bootstrap import objects
from kubelab.engine.apiserver.access.policy.language import rules
from kubelab.engine.apiserver.kinds import kind_of
from kubelab.engine.apiserver.validation.metadata import object_meta

RBAC = "/apis/rbac.authorization.k8s.io/v1"


def test_every_object_of_the_policy_is_one_that_the_api_would_take() -> None:
    for rtype, obj in objects():
        kind = kind_of(rtype)
        assert object_meta(obj, kind.name_rule) + kind.validate(obj) == [], obj["metadata"]["name"]


def test_a_line_is_a_rule() -> None:
    assert rules("get,list: pods pods/log\n*: *\nget: a b @x.io\nget: leases@y.io[me,you]") == [
        {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "pods/log"]},
        {"verbs": ["*"], "nonResourceURLs": ["*"]},
        {"verbs": ["get"], "apiGroups": ["x.io"], "resources": ["a", "b"]},
        {"verbs": ["get"], "apiGroups": ["y.io"], "resources": ["leases"], "resourceNames": ["me", "you"]},
    ]


async def test_the_roles_for_people_are_made_of_each_other(api) -> None:
    async def resources(name: str, verb: str) -> set[str]:
        role = (await api.get(f"{RBAC}/clusterroles/{name}")).body
        return {each for one in role["rules"] if verb in one["verbs"] for each in one["resources"]}

    assert "secrets" not in await resources("view", "get")
    assert {"pods", "secrets", "pods/exec"} <= await resources("edit", "get")
    assert "rolebindings" not in await resources("edit", "create")
    assert {"rolebindings", "deployments"} <= await resources("admin", "create")
    assert "networkpolicies" in await resources("admin", "create")
    assert "resourcequotas" not in await resources("admin", "update")


async def test_every_start_mends_what_is_missing_and_leaves_what_was_added(tmp_path, api_of) -> None:
    settings = ApiServerSettings(tokens={"a-token": "kubernetes-admin"})
    first = ApiServer.open(tmp_path / "db", settings)
    api = api_of(first)
    mine = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
    await api.patch(f"{RBAC}/clusterroles/system:discovery", {"rules": [mine]})
    await api.delete(f"{RBAC}/clusterroles/view")
    off = {"metadata": {"annotations": {"rbac.authorization.kubernetes.io/autoupdate": "false"}}, "rules": []}
    await api.patch(f"{RBAC}/clusterroles/system:basic-user", off)
    await api.patch(f"{RBAC}/clusterrolebindings/cluster-admin", {"subjects": []})
    await first.close()
    again = ApiServer.open(tmp_path / "db", settings)
    api = api_of(again)
    discovery = (await api.get(f"{RBAC}/clusterroles/system:discovery")).body["rules"]
    view = (await api.get(f"{RBAC}/clusterroles/view")).body
    basic = (await api.get(f"{RBAC}/clusterroles/system:basic-user")).body
    owner = (await api.get(f"{RBAC}/clusterrolebindings/cluster-admin")).body
    revision = again._store.revision
    await again.close()
    third = ApiServer.open(tmp_path / "db", settings)
    assert third._store.revision == revision, "nothing to mend: nothing is written"
    await third.close()
    assert discovery[0] == mine
    assert ["/api"] in [one.get("nonResourceURLs") for one in discovery]
    assert view["metadata"]["labels"]["kubernetes.io/bootstrapping"] == "rbac-defaults"
    assert any("pods" in one["resources"] for one in view["rules"])
    assert not basic.get("rules")
    assert [one["name"] for one in owner["subjects"]] == ["system:masters"]
