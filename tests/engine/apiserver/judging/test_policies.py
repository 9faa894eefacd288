"""ValidatingAdmissionPolicies: which requests they judge, and how a refusal reads."""

from __future__ import annotations

import pytest

from kubelab.engine.apiserver.status import StatusError
from kubelab.engine.client import ApiRequest
from tests.engine.apiserver.conftest import TOKEN

GROUP = "/apis/admissionregistration.k8s.io/v1"
POLICIES, BINDINGS = f"{GROUP}/validatingadmissionpolicies", f"{GROUP}/validatingadmissionpolicybindings"
MAPS, SERVICES = "/api/v1/namespaces/default/configmaps", "/api/v1/namespaces/default/services"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
PODS = "/api/v1/namespaces/default/pods"
DENIED = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: "


def rule(resource: str = "configmaps", *operations: str, group: str = "", **more) -> dict:
    made = {"apiGroups": [group], "apiVersions": ["*"], "resources": [resource], "operations": [*operations] or ["*"]}
    return {**made, **more}


def config(name: str = "m", labels: dict | None = None, **data: str) -> dict:
    return {"metadata": {"name": name, "labels": labels or {}}, "data": data}


@pytest.fixture
def bind(api):
    """A policy ``p`` of these validations (or one expression), bound by ``b``."""

    async def bind(validations, *rules, actions=("Deny",), constraints=None, resources=None, name="p", **spec) -> None:
        if isinstance(validations, str):
            validations = [{"expression": validations}]
        match = {"resourceRules": [*rules] or [rule()], **(constraints or {})}
        policy = {"metadata": {"name": name}, "spec": {"matchConstraints": match, "validations": validations, **spec}}
        made = await api.post(POLICIES, policy)
        assert made.code == 201, made.raw
        bound = {"policyName": name, "validationActions": [*actions]}
        if resources is not None:
            bound["matchResources"] = resources
        made = await api.post(BINDINGS, {"metadata": {"name": "b" if name == "p" else f"b-{name}"}, "spec": bound})
        assert made.code == 201, made.raw

    return bind


def refused(answer) -> str:
    """What the policy says of it."""
    assert answer.code in (403, 413, 422), answer.raw
    message = answer.body["message"]
    assert answer.body["details"]["causes"] == [{"message": message.partition("is forbidden: ")[2]}]
    return message.partition(DENIED)[2]


async def test_a_write_that_is_not_as_it_should_be_is_denied_in_upstreams_words(api, bind, make) -> None:
    await bind("object.spec.replicas <= 5", rule("deployments", "CREATE", "UPDATE", group="apps"))
    answer = await api.post(DEPLOYMENTS, make.deployment("nginx", replicas=6))
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["message"] == (
        "deployments.apps \"nginx\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: "
        "failed expression: object.spec.replicas <= 5"
    )
    assert answer.body["details"]["kind"] == "deployments"
    assert (await api.post(DEPLOYMENTS, make.deployment("nginx"))).code == 201, "a default is there already"
    assert refused(await api.patch(f"{DEPLOYMENTS}/nginx", {"spec": {"replicas": 9}}))
    scale = {"spec": {"replicas": 9}}
    assert (await api.patch(f"{DEPLOYMENTS}/nginx/scale", scale)).code == 200, "deployments/scale is another resource"


async def test_reasons_and_messages(api, bind) -> None:
    await bind([
        {"expression": "object.data.x != 'a'", "message": " not a ", "reason": "Forbidden"},
        {"expression": "object.data.x != 'b'", "messageExpression": "'not ' + object.data.x", "message": "fixed"},
        {"expression": "object.data.x != 'c'", "messageExpression": "object.data.none", "message": "fixed"},
        {"expression": "object.data.x != 'd'", "messageExpression": "' '", "reason": "RequestEntityTooLarge"},
    ])  # fmt: skip
    answers = {letter: await api.post(MAPS, config(x=letter)) for letter in "abcd"}
    assert {letter: (each.code, refused(each)) for letter, each in answers.items()} == {
        "a": (403, "not a"),
        "b": (422, "not b"),
        "c": (422, "fixed"),
        "d": (413, "failed expression: object.data.x != 'd'"),
    }
    assert answers["d"].body["reason"] == "RequestEntityTooLarge"


async def test_every_way_to_write_is_judged_and_a_dry_run_too(api, bind) -> None:
    await api.post(MAPS, config())
    await bind("request.operation == 'DELETE' ? oldObject.data.keep == 'no' : object.data.keep == 'no'")
    assert refused(await api.post(f"{MAPS}?dryRun=All", config("n", keep="yes")))
    assert refused(await api.put(f"{MAPS}/m", config(keep="yes")))
    assert refused(await api.patch(f"{MAPS}/m?fieldManager=t", {**config(keep="yes"), "apiVersion": "v1",
                                                                "kind": "ConfigMap"}, kind="apply"))  # fmt: skip
    assert (await api.patch(f"{MAPS}/m", {"data": {"keep": "no"}})).code == 200
    assert (await api.delete(f"{MAPS}/m?dryRun=All")).code == 200
    assert (await api.delete(MAPS)).code == 200
    assert (await api.get(f"{MAPS}/m")).code == 404


async def test_deletions_can_be_denied(api, bind) -> None:
    await api.post(MAPS, config())
    await bind("object == null && oldObject.metadata.name != 'm'", rule("configmaps", "DELETE"))
    assert refused(await api.delete(f"{MAPS}/m"))
    assert refused(await api.delete(MAPS))
    assert (await api.get(f"{MAPS}/m")).code == 200


async def test_a_request_says_who_asks_for_what(api, bind) -> None:
    words = (
        "[request.name, request.namespace, request.operation, request.resource.resource, request.kind.kind, "
        "request.userInfo.username, request.dryRun && 'system:masters' in request.userInfo.groups ? 'dry' : '', "
        "has(request.subResource) ? 'below' : 'whole', namespaceObject.metadata.name]"
    )
    await bind([{"expression": "false", "messageExpression": f"{words}.join(' ')"}])
    assert refused(await api.post(f"{MAPS}?dryRun=All", config())) == (
        "m default CREATE configmaps ConfigMap kubernetes-admin dry whole default"
    )


async def test_variables_are_evaluated_when_they_are_asked_for(api, bind) -> None:
    variables = [
        {"name": "x", "expression": "object.data.x"},
        {"name": "long", "expression": "size(variables.x) > 2"},
    ]
    validations = [
        {"expression": "!has(object.data) || !variables.long", "messageExpression": "'variables.x is ' + variables.x"}
    ]
    await bind(validations, variables=variables)
    assert (await api.post(MAPS, config("none"))).code == 201, "nothing asked for what is not there"
    assert (await api.post(MAPS, config(x="ab"))).code == 201
    assert refused(await api.post(MAPS, config("n", x="abc"))) == "variables.x is abc"
    assert refused(await api.post(MAPS, config("n", y="abc"))) == (
        "expression '!has(object.data) || !variables.long' resulted in error: composited variable \"long\" fails to "
        'evaluate: composited variable "x" fails to evaluate: no such key: x'
    )


async def test_what_fails_to_evaluate_counts_by_the_failure_policy(api, bind) -> None:
    await bind("object.data.x == 'a'", failurePolicy="Ignore", name="lax")
    assert (await api.post(MAPS, config("one"))).code == 201
    await bind("object.data.x == 'a'")
    assert refused(await api.post(MAPS, config())) == (
        "expression 'object.data.x == 'a'' resulted in error: no such key: data"
    )


async def test_match_conditions_say_what_is_judged_at_all(api, bind) -> None:
    conditions = [
        {"name": "broken", "expression": "object.data.x == 'a'"},
        {"name": "not-ours", "expression": "!object.metadata.name.startsWith('ours')"},
    ]
    await bind("false", matchConditions=conditions)
    assert (await api.post(MAPS, config("ours"))).code == 201, "one that is false settles it"
    assert refused(await api.post(MAPS, config("m", x="a")))
    assert (await api.post(MAPS, config("m", x="b"))).code == 201
    assert "no such key: data" in refused(await api.post(MAPS, config("n")))


async def test_rules_name_resources_operations_names_and_scopes(api, bind, make) -> None:
    await bind("false", rule("*", "CREATE"), constraints={
        "excludeResourceRules": [rule("services"), rule("configmaps", resourceNames=["m"])]
    })  # fmt: skip
    assert refused(await api.post(MAPS, config("other")))
    assert (await api.post(MAPS, config())).code == 201
    assert (await api.post(SERVICES, make.service())).code == 201
    assert (await api.post(DEPLOYMENTS, make.deployment())).code == 201, "another API group"
    assert (await api.patch(f"{MAPS}/m", {"data": {"a": "b"}})).code == 200
    await bind("false", rule("namespaces", scope="Namespaced"), name="within")
    await api.patch(f"{POLICIES}/p", {"spec": {"matchConstraints": {"resourceRules": [rule("secrets")]}}})
    assert (await api.post("/api/v1/namespaces", {"metadata": {"name": "n"}})).code == 201


async def test_selectors_of_namespaces_and_objects(api, bind) -> None:
    await api.post("/api/v1/namespaces", {"metadata": {"name": "room", "labels": {"class": "one"}}})
    selects = {"namespaceSelector": {"matchLabels": {"class": "one"}}}
    await bind("false", resources={**selects, "objectSelector": {"matchLabels": {"judge": "me"}}})
    judged, free = config(labels={"judge": "me"}), config("free")
    room = MAPS.replace("default", "room")
    assert (await api.post(MAPS, judged)).code == 201
    assert (await api.post(room, free)).code == 201
    assert refused(await api.post(room, judged))
    assert refused(await api.patch(f"{room}/free", {"metadata": {"labels": {"judge": "me"}}}))
    await bind("false", rule("namespaces", "CREATE"), constraints=selects, name="rooms")
    answer = await api.post("/api/v1/namespaces", {"metadata": {"name": "new", "labels": {"class": "one"}}})
    assert answer.code == 422, "a namespace is selected by the labels that it is to have"


async def test_equivalent_resources_count_unless_told_otherwise(api, bind) -> None:
    events = "/api/v1/namespaces/default/events"
    event = {"metadata": {"name": "e"}, "involvedObject": {"namespace": "default"}, "reason": "r", "type": "Normal"}
    one = rule("events", "CREATE", group="events.k8s.io")
    await bind("false", one, constraints={"matchPolicy": "Exact"})
    assert (await api.post(events, event)).code == 201
    await bind("false", one, name="equivalent")
    assert (await api.post(events, {**event, "metadata": {"name": "f"}})).code == 422


async def test_a_binding_can_warn_instead(api, bind) -> None:
    await bind([{"expression": "false", "message": "better not"}], actions=("Warn", "Audit"))
    answer = await api.post(MAPS, config())
    assert answer.code == 201
    assert answer.headers["warning"] == (
        "299 - \"Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': better not\""
    )


async def test_subresources_are_judged_by_their_own_names(api, bind, make) -> None:
    await api.post(PODS, make.pod("web"))
    await api.post(DEPLOYMENTS, make.deployment())
    await bind("object.target.name != 'n1'", rule("pods/binding"), name="binds")
    await bind("object.metadata.name != 'web'", rule("pods/eviction"), name="evicts")
    await bind("object.spec.replicas < 3 && object.kind == 'Scale'", rule("*/scale", group="apps"), name="scales")
    await bind("object.spec.expirationSeconds < 4000", rule("serviceaccounts/token"), name="tokens")
    answers = [
        await api.post(f"{PODS}/web/binding", {"target": {"kind": "Node", "name": "n1"}}),
        await api.post(f"{PODS}/web/eviction", {"metadata": {"name": "web"}}),
        await api.patch(f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 4}}),
        await api.post("/api/v1/namespaces/default/serviceaccounts/default/token",
                       {"spec": {"expirationSeconds": 5000}}),
    ]  # fmt: skip
    assert [answer.code for answer in answers] == [422] * 4, [answer.raw for answer in answers]
    assert (await api.patch(f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 2}})).code == 200


async def test_rights_can_be_asked_for(api, bind) -> None:
    may = "authorizer.group('apps').resource('deployments').namespace(request.namespace).check('create').allowed()"
    own = "authorizer.requestResource.check('escalate').allowed()"
    pods = "authorizer.serviceAccount('default', 'default').resource('pods').check('list').allowed()"
    await bind(f"{may} && {own} && !{pods} && authorizer.path('/healthz').check('get').allowed()")
    assert (await api.post(MAPS, config())).code == 201


async def test_what_is_taken_away_judges_no_more_and_policies_cannot_keep_themselves(api, bind) -> None:
    await bind("false", rule("*", group="*"))
    assert refused(await api.post(MAPS, config()))
    assert (await api.delete(f"{BINDINGS}/b")).code == 200
    assert (await api.post(MAPS, config())).code == 201
    assert (await api.delete(f"{POLICIES}/p")).code == 200


async def test_the_servers_own_objects_are_put_there_whatever_policies_say(api, bind) -> None:
    await bind("false", rule("services", "CREATE"))
    assert (await api.delete(f"{SERVICES}/kubernetes")).code == 200
    assert (await api.get(f"{SERVICES}/kubernetes")).code == 200


async def test_connections_into_a_pod_are_judged_before_they_are_made(api, server, bind, make) -> None:
    await api.post(PODS, make.pod("web"))
    await bind("!('sh' in object.command) || object.container != 'main'", rule("pods/exec", "CONNECT"))
    query = [("command", "sh"), ("stdin", "true"), ("container", "main")]
    headers = {"authorization": f"Bearer {TOKEN}", "upgrade": "websocket"}
    with pytest.raises(StatusError, match="denied request: failed expression"):
        server.upgrade(ApiRequest("GET", f"{PODS}/web/exec", query, headers))
    query[0] = ("command", "ls")
    assert server.upgrade(ApiRequest("GET", f"{PODS}/web/exec", query, headers)) is not None
