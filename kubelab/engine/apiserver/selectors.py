"""Label and field selectors, as the query parameters carry them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.apiserver.status import bad_request

Predicate = Callable[[Object], bool]

_LABEL_VALUE = re.compile(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")
_KEY = re.compile(r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$")
_SET = re.compile(r"^(?P<key>[^\s!=,()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)$")
_COMPARE = re.compile(r"^(?P<key>[^\s!=<>,()]+)\s*(?P<op>==|!=|=|>|<)\s*(?P<value>[^\s!=<>,()]*)$")
_COMPARISON = r"[^\s!=<>,()]+\s*(?:==|!=|=|>|<)\s*[^\s!=<>,()]+(?=[\s!=<>()])"
_EXISTS = re.compile(r"^(?P<not>!\s*)?(?P<key>[^\s!=<>,()]+)$")

Requirement = Callable[[Mapping[str, str]], bool]


def _split(text: str) -> list[str]:
    parts, depth, begin = [], 0, 0
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(text[begin:at])
            begin = at + 1
    parts.append(text[begin:])
    return [part.strip() for part in parts]


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _requirement(text: str) -> Requirement:
    if match := _SET.match(text):
        key, values = match["key"], {value.strip() for value in match["values"].split(",")}
        _check(text, key, *values)
        if match["op"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: key not in labels or labels[key] not in values
    if match := _COMPARE.match(text):
        key, op, value = match["key"], match["op"], match["value"]
        _check(text, key, value)
        if op == "!=":
            return lambda labels: labels.get(key) != value
        if op in "<>":
            return _ordered(text, key, op, value)
        return lambda labels: labels.get(key) == value
    if match := _EXISTS.match(text):
        key, absent = match["key"], bool(match["not"])
        _check(text, key)
        return lambda labels: (key in labels) != absent
    raise bad_request(f"unable to parse requirement: {_misread(text)}")


def _misread(text: str) -> str:
    """What the parser of a kube-apiserver stumbles over."""
    if match := re.match(r"[^\s!=<>,()]+\s+(?:in|notin)\s+(?P<found>[^\s(,]+)", text):
        return f"found '{match['found']}', expected: '('"
    if match := re.match(r"[^\s!=<>,()]+\s*(?:==|!=|=|>|<)\s*(?P<found>==|!=|=|>|<|\(|\)|!)", text):
        return f"found '{match['found']}', expected: identifier"
    if match := re.match(rf"{_COMPARISON}\s*(?P<found>==|!=|=|>|<|\(|\)|!|[^\s,]+)", text):
        return f"found '{match['found']}', expected: ',' or 'end of string'"
    if match := re.match(r"[^\s!=<>,()]+\s+(?P<found>[^\s,]+)", text):
        return f"found '{match['found']}', expected: in, notin, =, ==, !=, gt, lt"
    return f"found '{text}', expected: !, identifier, or 'end of string'"


def _ordered(text: str, key: str, op: str, value: str) -> Requirement:
    bound = _number(value)
    if bound is None:
        raise bad_request(
            f"unable to parse requirement: for 'Gt', 'Lt' operators, the value must be an integer: {text!r}"
        )

    def compare(labels: Mapping[str, str]) -> bool:
        number = _number(labels.get(key, ""))
        return number is not None and (number > bound if op == ">" else number < bound)

    return compare


def _check(text: str, key: str, *values: str) -> None:
    if not _KEY.match(key):
        raise bad_request(f'unable to parse requirement: <nil>: Invalid value: "{key}": not a label key, in {text!r}')
    for value in values:
        if len(value) > 63 or not _LABEL_VALUE.match(value):
            raise bad_request(
                f'unable to parse requirement: values[0][{key}]: Invalid value: "{value}": a valid label must be an '
                "empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
                "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
                "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
            )


def label_selector(text: str) -> Predicate | None:
    """What ``labelSelector=`` asks for; None when it asks for everything. Raises a 400 Status."""
    if not text.strip():
        return None
    requirements = [_requirement(part) for part in _split(text)]

    def matches(obj: Object) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(requirement(labels) for requirement in requirements)

    return matches


_META_FIELDS = frozenset({"metadata.name", "metadata.namespace"})

FIELDS: dict[str, frozenset[str]] = {
    "Pod": frozenset(
        {
            "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
            "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName",
        }
    ),
    "Service": frozenset({"spec.clusterIP", "spec.type"}),
    "Event": frozenset(
        {
            "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
            "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
            "reason", "reportingComponent", "source", "type",
        }
    ),
    "Node": frozenset({"spec.unschedulable"}),
    "Namespace": frozenset({"status.phase"}),
    "Secret": frozenset({"type"}),
    "ReplicaSet": frozenset({"status.replicas"}),
}  # fmt: skip
"""The fields that can be selected by, besides the name and the namespace."""

_NUMBERS = frozenset({"status.replicas"})
_FLAGS = frozenset({"spec.unschedulable", "spec.hostNetwork"})


def field_value(obj: Object, path: str) -> str:
    """The field as a selector compares it: text, empty when it is not set."""
    if path == "source":
        source = obj.get("source") or {}
        return str(source.get("component") or obj.get("reportingComponent") or "")
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if path in _FLAGS:
        return "true" if value else "false"
    if value is None:
        return "0" if path in _NUMBERS else ""
    return str(value)


def field_selector(text: str, rtype: ResourceType) -> Predicate | None:
    """What ``fieldSelector=`` asks for; None when it asks for everything. Raises a 400 Status."""
    terms = _field_terms(text)
    if not terms:
        return None
    own = rtype.custom.selectable if rtype.custom else FIELDS.get(rtype.kind, frozenset())
    known = _META_FIELDS | own
    tests: list[tuple[str, str, bool]] = []
    for path, operator, value in terms:
        if path not in known:
            raise bad_request(f"field label not supported: {path}")
        tests.append((path, value, operator != "!="))

    def matches(obj: Object) -> bool:
        return all((field_value(obj, path) == value) == equal for path, value, equal in tests)

    return matches


def _field_terms(text: str) -> list[tuple[str, str, str]]:
    """Path, operator and value of each term. Raises a 400 Status."""
    terms: list[tuple[str, str, str]] = []
    for term in (part for part in text.split(",") if part.strip()):
        match = re.match(r"^(?P<path>[^=!]+)(?P<op>==|!=|=)(?P<value>.*)$", term.strip())
        if match is None:
            raise bad_request(f'invalid selector: "{text}"; can\'t understand "{term}"')
        terms.append((match["path"], match["op"], match["value"].replace("\\", "")))
    return terms


def exact_fields(text: str) -> dict[str, str]:
    """What a field selector demands by ``=``: whatever it selects has these values. Raises a 400 Status."""
    return {path: value for path, operator, value in _field_terms(text) if operator != "!="}


def both(first: Predicate | None, second: Predicate | None) -> Predicate | None:
    """Objects that satisfy the two (None is satisfied by all)."""
    if first is None or second is None:
        return first or second
    return lambda obj: first(obj) and second(obj)
