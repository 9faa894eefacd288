"""What schemas and their CEL rules say against a value, in upstream's words."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from kubelab.engine.apiserver.custom import cel
from kubelab.engine.apiserver.custom.checking import errors_of
from kubelab.engine.apiserver.custom.correlation import ABSENT
from kubelab.engine.apiserver.custom.patterns import matches
from kubelab.engine.apiserver.custom.rules import rule_errors, unread_rules

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GATES = "/apis/example.test/v1/gates"


def said(value: Any, old: Any = ABSENT, **schema: Any) -> list[str]:
    """The errors of a field ``x``."""
    whole = {"type": "object", "properties": {"x": schema}}
    before = ABSENT if old is ABSENT else {"x": old}
    return [str(error) for error in errors_of({"x": value}, whole, before)]


def ruled(value: Any, rule: str, old: Any = ABSENT, *, schema: Any = None, **more: Any) -> list[str]:
    """The errors of a rule on a field ``x``."""
    below = {**(schema or {"type": "object"}), "x-kubernetes-validations": [{"rule": rule, **more}]}
    whole = {"type": "object", "properties": {"x": below}}
    before = ABSENT if old is ABSENT else {"x": old}
    return [str(error) for error in rule_errors({"x": value}, whole, before)]


@pytest.mark.parametrize(
    ("value", "schema", "message"),
    [
        ("a", {"type": "integer"}, 'x: Invalid value: "string": x in body must be of type integer: "string"'),
        (None, {"type": "string"}, 'x: Invalid value: "null": x in body must be of type string: "null"'),
        (True, {"x-kubernetes-int-or-string": True},
         'x: Invalid value: "boolean": x in body must be of type integer,string: "boolean"'),
        ("c", {"type": "string", "enum": ["b", "a"]}, 'x: Unsupported value: "c": supported values: "b", "a"'),
        (0, {"type": "integer", "minimum": 1}, "x: Invalid value: 0: x in body should be greater than or equal to 1"),
        (9, {"type": "integer", "maximum": 9, "exclusiveMaximum": True},
         "x: Invalid value: 9: x in body should be less than 9"),
        ("abc", {"type": "string", "maxLength": 2}, "x: Too long: may not be more than 2 bytes"),
        ("", {"type": "string", "minLength": 1}, 'x: Invalid value: "": x in body should be at least 1 chars long'),
        ("a", {"type": "string", "pattern": "^b$"}, "x: Invalid value: \"a\": x in body should match '^b$'"),
        ("a", {"type": "string", "format": "ipv4"}, 'x: Invalid value: "a": x in body must be of type ipv4: "a"'),
        ([1, 2], {"type": "array", "maxItems": 1, "items": {"type": "integer"}},
         "x: Too many: 2: must have at most 1 item"),
        ([1, 1], {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "integer"}},
         "x[1]: Duplicate value: 1"),
        ({"a": 1, "b": 2}, {"type": "object", "maxProperties": 1, "additionalProperties": {"type": "integer"}},
         "x: Too many: 2: must have at most 1 item"),
        ({}, {"type": "object", "required": ["y"]}, "x.y: Required value"),
        (5, {"type": "integer", "oneOf": [{"minimum": 1}, {"minimum": 2}]},
         '<nil>: Invalid value: "": "x" must validate one and only one schema (oneOf). Found 2 valid alternatives'),
        (5, {"type": "integer", "not": {"minimum": 1}},
         '<nil>: Invalid value: "": "x" must not validate the schema (not)'),
    ],
)  # fmt: skip
def test_a_value_that_breaks_its_schema(value, schema, message) -> None:
    assert said(value, **schema) == [message]


def test_what_was_wrong_before_may_stay() -> None:
    item = {"type": "object", "properties": {"n": {"type": "string"}, "p": {"type": "integer", "maximum": 9}}}
    schema = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"], "items": item}
    old = [{"n": "a", "p": 10}]
    assert said([*old, {"n": "b", "p": 1}], old, **schema) == []
    assert len(said([{"n": "a", "p": 11}], old, **schema)) == 1


def test_go_patterns_mean_what_they_mean_in_go() -> None:
    assert not matches("^a$", "a\n")
    assert matches(r"^[[:alpha:]$]+\z", "a$")
    assert not matches(r"^\d$", "٣")


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("has(self.a) && !has(self.b)", {"a": 1}),
        ("self.a.all(i, i > 0) && self.a.exists(i, i == 2)", {"a": [1, 2]}),
        ("self.a.exists_one(i, i == 2) && self.a.map(i, i * 2) == [2, 4]", {"a": [1, 2]}),
        ("size(self.a) == 2 && self.a.filter(i, i > 1).size() == 1", {"a": [1, 2]}),
        ("self.a.isSorted() && self.a.sum() == 3 && self.a.indexOf(2) == 1", {"a": [1, 2]}),
        ("self.s.matches('^a+$') && self.s.startsWith('a')", {"s": "aa"}),
        ("self.s.split('/')[0].size() == 1 && self.s.find('[0-9]+') == '12'", {"s": "a/12"}),
        ("self.__namespace__ == 'n'", {"namespace": "n"}),
        ("duration(self.t) < duration('1h')", {"t": "5m"}),
        ("self.a == 1 ? true : self.nope", {"a": 1}),
    ],
)
def test_rules_that_hold(rule, value) -> None:
    properties = {name: {} for name in value}
    assert ruled(value, rule, schema={"type": "object", "properties": properties}) == []


def test_a_broken_rule_speaks_as_it_was_told_to() -> None:
    assert ruled({"a": 1}, "self.a > 1") == ['x: Invalid value: "object": failed rule: self.a > 1']
    assert ruled({"a": 1}, "self.a > 1", message="too few") == ['x: Invalid value: "object": too few']
    dynamic = {"messageExpression": "'a is ' + string(self.a)", "message": "too few"}
    assert ruled({"a": 1}, "self.a > 1", **dynamic) == ['x: Invalid value: "object": a is 1']
    forbidden = {"message": "no", "reason": "FieldValueForbidden", "fieldPath": ".a"}
    assert ruled({"a": 1}, "self.a > 1", **forbidden) == ["x.a: Forbidden: no"]
    assert ruled({}, "self.a > 1", message="too few") == [
        'x: Invalid value: "object": no such key: a evaluating rule: too few'
    ]


def test_a_number_beyond_64_bits_is_compared_as_a_float() -> None:
    assert ruled({"a": 10**30, "b": 10**400}, "self.a > 1 && self.b > self.a") == []


def test_rules_about_a_change_need_something_that_changes() -> None:
    immutable = {"schema": {"type": "string"}, "message": "Value is immutable"}
    assert ruled("b", "self == oldSelf", **immutable) == []
    assert ruled("b", "self == oldSelf", "a", **immutable) == ['x: Invalid value: "string": Value is immutable']
    optional = {"schema": {"type": "string"}, "optionalOldSelf": True}
    assert ruled("b", "oldSelf.hasValue() || self == 'a'", **optional) != []
    assert ruled("b", "oldSelf.hasValue() || self == 'a'", "b", **optional) == []


def test_a_rule_that_cannot_be_read_is_named() -> None:
    schema = {"type": "object", "x-kubernetes-validations": [{"rule": "quantity(self.m).isGreaterThan(self.n)"}]}
    whole = {"type": "object", "properties": {"x": schema}}
    assert rule_errors({"x": {}}, whole) == []
    [warning] = unread_rules({"x": {}}, whole)
    assert warning.startswith("x: rule not evaluated, ") and warning.endswith("isGreaterThan(self.n)")
    assert unread_rules({}, whole) == []
    assert "syntax is not understood" in cel.problem("self.?x")


def test_the_library_comes_without_its_command_line() -> None:
    code = (
        "import sys; from kubelab.engine.apiserver.custom import cel; before = 'cel' in sys.modules;"
        "assert cel.problem('size(self)') == '' and cel.evaluate('size(self)', {'self': 'ab'}) == 2;"
        "print(before, 'prompt_toolkit' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "False False\n"


def gate(name: str, **spec: Any) -> Any:
    return {"apiVersion": "example.test/v1", "kind": "Gate", "metadata": {"name": name}, "spec": spec}


async def test_the_server_refuses_warns_and_waits_for_sound_objects(api, why) -> None:
    rules = [{"rule": "self.low <= self.high", "message": "low must not be above high"}, {"rule": "isIP(self.ip)"}]
    spec = {"type": "object", "required": ["low"], "x-kubernetes-validations": rules, "properties": {
        "low": {"type": "integer"}, "high": {"type": "integer", "default": 5}, "ip": {"type": "string"}}}  # fmt: skip
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
        "type": "object", "properties": {"spec": spec}}}}  # fmt: skip
    names = {"plural": "gates", "kind": "Gate"}
    crd = {"metadata": {"name": "gates.example.test"}, "spec": {
        "group": "example.test", "scope": "Cluster", "names": names, "versions": [version]}}  # fmt: skip
    assert "isIP() is not known here" in (await api.post(CRDS, crd)).headers["warning"]
    made = await api.post(GATES, gate("a", low=1))
    assert (made.code, "spec: rule not evaluated" in made.headers["warning"]) == (201, True)
    broken = await api.patch(f"{GATES}/a", {"spec": {"low": 9}})
    assert broken.body["message"] == (
        'Gate.example.test "a" is invalid: spec: Invalid value: "object": low must not be above high'
    )
    assert why(await api.post(GATES, gate("b"))) == [
        ("spec.low", "Required"), ("<nil>", "Invalid")]  # fmt: skip
