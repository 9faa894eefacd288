"""In somebody else's name: kubectl --as."""

from __future__ import annotations

WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


async def whoami(someone, **headers: str) -> dict:
    answer = await someone("POST", WHOAMI, {}, **headers)
    assert answer.code == 201, answer.raw
    return answer.body["status"]["userInfo"]


async def test_the_owner_may_be_anybody_and_has_then_only_their_rights(who) -> None:
    owner = who("kubernetes-admin")
    assert await whoami(owner, impersonate_user="bob") == {"username": "bob", "groups": ["system:authenticated"]}
    assert await owner.code("GET", "/api/v1/pods", impersonate_user="bob") == 403
    groups = await whoami(owner, impersonate_user="bob", impersonate_group="a\nb")
    assert groups["groups"] == ["a", "b", "system:authenticated"]
    robot = await whoami(owner, impersonate_user="system:serviceaccount:x:robot")
    assert robot["groups"] == ["system:serviceaccounts", "system:serviceaccounts:x", "system:authenticated"]
    extra = {"impersonate_user": "bob", "impersonate_uid": "7", "impersonate_extra_a%2fb": "c"}
    assert (await whoami(owner, **extra))["extra"] == {"a/b": ["c"]}


async def test_others_need_the_verb_for_every_part_of_it(who, roles, rule) -> None:
    refused = await who("ann")("GET", "/version", impersonate_user="bob")
    assert refused.body["message"] == (
        'users "bob" is forbidden: User "ann" cannot impersonate resource "users" in API group "" at the cluster scope'
    )
    await roles.grant("", "ann", rule("impersonate", "users", "", ("bob",)))
    ann = who("ann")
    assert await ann.code("GET", "/version", impersonate_user="bob") == 200
    assert await ann.code("GET", "/version", impersonate_user="kubernetes-admin") == 403
    assert await ann.code("GET", "/version", impersonate_user="bob", impersonate_group="system:masters") == 403
    assert await ann.code("GET", "/version", impersonate_user="bob", impersonate_uid="1") == 403
    assert await ann.code("GET", "/version", impersonate_user="bob", impersonate_extra_scopes="all") == 403


async def test_an_editor_may_be_the_service_accounts_of_the_namespace(who, roles) -> None:
    await roles.bind("default", "ClusterRole", "edit", roles.user("ann"))
    ann = who("ann")
    assert await ann.code("GET", "/version", impersonate_user="system:serviceaccount:default:default") == 200
    assert await ann.code("GET", "/version", impersonate_user="system:serviceaccount:kube-system:default") == 403


async def test_groups_without_a_user_are_a_mistake(who) -> None:
    answer = await who("kubernetes-admin")("GET", "/version", impersonate_group="a")
    assert answer.code == 500
