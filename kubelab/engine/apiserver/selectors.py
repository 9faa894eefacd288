"""Label and field selectors, as the query parameters carry them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.label_selectors import requirements
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.apiserver.status import bad_request

Predicate = Callable[[Object], bool]


def label_selector(text: str) -> Predicate | None:
    """What ``labelSelector=`` asks for; None when it asks for everything. Raises a 400 Status."""
    if not text.strip():
        return None
    asked = requirements(text)

    def matches(obj: Object) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(requirement(labels) for requirement in asked)

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
    return str(value).lower() if isinstance(value, bool) else str(value)


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


_TERM = re.compile(r"(?P<path>[^=!]*(?:!(?!=)[^=!]*)*)(?P<op>!=|==|=)(?P<value>.*)", re.DOTALL)
_BETWEEN = re.compile(r"((?:\\.|[^\\,])*)(?:,|$)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.?)|[,=]", re.DOTALL)


def _field_terms(text: str) -> list[tuple[str, str, str]]:
    """Path, operator and value of each term; a backslash lets a value have a comma. Raises a 400 Status."""
    terms: list[tuple[str, str, str]] = []
    for term in sorted(found[1] for found in _BETWEEN.finditer(text) if found[1]):
        match = _TERM.fullmatch(term)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        if match["path"] or match["value"]:  # as upstream: a term of nothing asks for nothing
            terms.append((match["path"], match["op"], _ESCAPED.sub(_plain, match["value"])))
    return terms


def _plain(found: re.Match[str]) -> str:
    """The character that was escaped. Raises a 400 Status for one that should be, or need not be."""
    if not found[0].startswith("\\"):
        raise bad_request(f"invalid field selector: unescaped character in value: {ord(found[0])}")
    if found[1] not in ("\\", ",", "="):
        raise bad_request(f"invalid field selector: invalid escape sequence: {found[0]}")
    return found[1]


def exact_fields(text: str) -> dict[str, str]:
    """What a field selector demands by ``=``: whatever it selects has these values. Raises a 400 Status."""
    return {path: value for path, operator, value in _field_terms(text) if operator != "!="}


def both(first: Predicate | None, second: Predicate | None) -> Predicate | None:
    """Objects that satisfy the two (None is satisfied by all)."""
    if first is None or second is None:
        return first or second
    return lambda obj: first(obj) and second(obj)
