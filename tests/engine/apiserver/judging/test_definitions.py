"""What a ValidatingAdmissionPolicy and its binding may say."""

from __future__ import annotations

import shutil

import pytest

from tests.engine.apiserver.judging.test_policies import BINDINGS, POLICIES, rule

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


def policy(**spec) -> dict:
    whole = {"matchConstraints": {"resourceRules": [rule()]}, "validations": [{"expression": "true"}], **spec}
    return {"metadata": {"name": "p"}, "spec": {name: value for name, value in whole.items() if value is not None}}


async def test_what_is_left_out_is_filled_in(api) -> None:
    made = (await api.post(POLICIES, policy())).body
    assert made["metadata"]["generation"] == 1
    assert made["spec"]["failurePolicy"] == "Fail"
    constraints = made["spec"]["matchConstraints"]
    assert (constraints["matchPolicy"], constraints["namespaceSelector"], constraints["objectSelector"]) == (
        "Equivalent", {}, {}
    )  # fmt: skip
    assert constraints["resourceRules"][0]["scope"] == "*"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"matchConstraints": None}, [("spec.matchConstraints", "Required")]),
        ({"matchConstraints": {}}, [("spec.matchConstraints.resourceRules", "Required")]),
        ({"validations": None}, [("spec.validations", "Required"), ("spec.auditAnnotations", "Required")]),
        ({"failurePolicy": "Perhaps"}, [("spec.failurePolicy", "NotSupported")]),
        ({"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}, [("spec.paramKind", "Forbidden")]),
        ({"validations": [{"expression": " "}]}, [("spec.validations[0].expression", "Required")]),
        ({"validations": [{"expression": "true", "message": "a\nb", "reason": "No"}]},
         [("spec.validations[0].message", "Invalid"), ("spec.validations[0].reason", "NotSupported")]),
        ({"variables": [{"name": "in", "expression": "1"}, {"name": "a", "expression": "variables.b"}]},
         [("spec.variables[0].name", "Invalid"), ("spec.variables[1].expression", "Invalid")]),
        ({"matchConditions": [{"name": "a b", "expression": "variables.x"}]},
         [("spec.matchConditions[0].expression", "Invalid"), ("spec.matchConditions[0].name", "Invalid")]),
        ({"matchConstraints": {"resourceRules": [
            {"apiGroups": ["*", ""], "resources": ["*", "pods"], "operations": ["READ"]}]}},
         [("spec.matchConstraints.resourceRules[0].apiGroups", "Invalid"),
          ("spec.matchConstraints.resourceRules[0].apiVersions", "Required"),
          ("spec.matchConstraints.resourceRules[0].operations[0]", "NotSupported"),
          ("spec.matchConstraints.resourceRules[0].resources", "Invalid")]),
    ],
)  # fmt: skip
async def test_what_a_policy_cannot_say(api, why, spec, expected) -> None:
    assert sorted(why(await api.post(POLICIES, policy(**spec)))) == sorted(expected)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("object.spec.replicas <=", "ERROR: <input>:1:24: Syntax error: mismatched input '<EOF>'"),
        ("objekt.spec == 1",
         "ERROR: <input>:1:1: undeclared reference to 'objekt' (in container '')\n | objekt.spec == 1\n | ^"),
        ("object.a ==\n  'objekt' + objekt",
         "ERROR: <input>:2:14: undeclared reference to 'objekt' (in container '')\n"
         " |   'objekt' + objekt\n | .............^"),
        ("object.a.all(x, y == x)", "ERROR: <input>:1:17: undeclared reference to 'y' (in container '')"),
        ("nonsense(object)", "ERROR: <input>:1:9: undeclared reference to 'nonsense' (in container '')"),
        ("variables.none == 1", "ERROR: <input>:1:10: undefined field 'none'"),
        ("params.x == 1", "ERROR: <input>:1:1: undeclared reference to 'params' (in container '')"),
    ],
)  # fmt: skip
async def test_an_expression_that_does_not_compile_is_refused_with_its_place(api, expression, problem) -> None:
    answer = await api.post(POLICIES, policy(validations=[{"expression": expression}]))
    cause = answer.body["details"]["causes"][0]
    assert (answer.code, cause["field"]) == (422, "spec.validations[0].expression")
    assert f"compilation failed: {problem}" in cause["message"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"policyName": ""}, [("spec.policyName", "Required")]),
        ({"validationActions": []}, [("spec.validationActions", "Required")]),
        ({"validationActions": ["Deny", "Warn"]}, [("spec.validationActions", "Invalid")]),
        (
            {"validationActions": ["Deny", "Deny", "No"]},
            [("spec.validationActions[1]", "Duplicate"), ("spec.validationActions[2]", "NotSupported")],
        ),
        ({"paramRef": {"name": "x"}}, [("spec.paramRef", "Forbidden")]),
        ({"matchResources": {"matchPolicy": "Perhaps"}}, [("spec.matchResouces.matchPolicy", "NotSupported")]),
    ],
)
async def test_what_a_binding_cannot_say(api, why, spec, expected) -> None:
    whole = {"policyName": "p", "validationActions": ["Deny"], **spec}
    assert why(await api.post(BINDINGS, {"metadata": {"name": "b"}, "spec": whole})) == expected


MANIFESTS = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: few}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}
  validations:
  - {expression: object.spec.replicas <= 5, message: five are enough}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: everywhere}
spec: {policyName: few, validationActions: [Deny]}
"""


@needs_kubectl
async def test_kubectls_ways_with_them(kubectl) -> None:
    await kubectl.ok("apply", "-f", "-", stdin=MANIFESTS)
    rows = [line.split() for line in (await kubectl.ok("get", "validatingadmissionpolicies,"
            "validatingadmissionpolicybindings", "--no-headers")).splitlines()]  # fmt: skip
    assert rows[0][:3] == ["validatingadmissionpolicy.admissionregistration.k8s.io/few", "1", "<unset>"]
    assert rows[-1][1:3] == ["few", "<unset>"]
    assert "five are enough" in await kubectl.ok("describe", "validatingadmissionpolicy", "few")
    assert "matchConditions" in await kubectl.ok("explain", "validatingadmissionpolicy.spec")
    said = await kubectl.fails("create", "deployment", "web", "--image=python", "--replicas=9")
    assert "ValidatingAdmissionPolicy 'few' with binding 'everywhere' denied request: five are enough" in said
    await kubectl.ok("delete", "-f", "-", stdin=MANIFESTS)
