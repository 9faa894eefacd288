"""``x-kubernetes-validations``: rules in CEL, the Common Expression Language.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules
and https://kubernetes.io/docs/reference/using-api/cel/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from kubelab.engine.apiserver.custom import cel
from kubelab.engine.apiserver.custom.correlation import ABSENT, correlated
from kubelab.engine.apiserver.encoding import same
from kubelab.engine.apiserver.validation.fields import FieldError, duplicate, forbidden, invalid, required

_RULES = "x-kubernetes-validations"
Rule = dict[str, Any]


class Place(NamedTuple):
    """A value that has rules."""

    path: str
    value: Any
    old: Any
    schema: Any


def rule_errors(obj: Any, schema: Any, old: Any = ABSENT) -> list[FieldError]:
    """What the rules of a schema say against an object that is sound otherwise."""
    errors: list[FieldError] = []
    for place in _places(obj, schema, "", old):
        for rule in place.schema[_RULES]:
            error = _broken(rule, place)
            if error is not None:
                errors.append(error)
    return errors


def unread_rules(obj: Any, schema: Any) -> list[str]:
    """A warning for each rule that applies to the object and that is not evaluated here."""
    found: dict[str, None] = {}
    for place in _places(obj, schema, "", ABSENT):
        for rule in place.schema[_RULES]:
            if problem := cel.problem(rule["rule"]):
                found[f"{place.path or 'the object'}: rule not evaluated, {problem}: {rule['rule'].strip()}"] = None
    return list(found)


def unread_in_schema(schema: Any) -> list[str]:
    """The same for all rules of a schema, whatever the objects."""
    found: list[str] = []

    def walk(node: Any, path: str) -> None:
        for rule in node.get(_RULES) or ():
            if problem := cel.problem(rule["rule"]):
                found.append(f"{path or 'the object'}: rule will not be evaluated, {problem}: {rule['rule'].strip()}")
        for name, below in (node.get("properties") or {}).items():
            walk(below, f"{path}.{name}" if path else name)
        for member in ("items", "additionalProperties"):
            if isinstance(node.get(member), dict):
                walk(node[member], f"{path}[*]")
        for below in node.get("allOf") or ():
            walk(below, path)

    walk(schema, "")
    return found


def _broken(rule: Rule, place: Place) -> FieldError | None:
    old_is_optional = rule.get("optionalOldSelf", False)
    is_transition = cel.uses_old(rule["rule"])
    if cel.problem(rule["rule"]) or (is_transition and place.old is ABSENT and not old_is_optional):
        return None
    if not is_transition and place.old is not ABSENT and same(place.old, place.value):
        return None  # what was wrong before may stay as it was
    variables = {"self": cel.value(place.value, place.schema)}
    if is_transition:
        before = None if place.old is ABSENT else cel.value(place.old, place.schema)
        variables["oldSelf"] = cel.optional(before, there=place.old is not ABSENT) if old_is_optional else before
    text = (rule.get("message") or rule["rule"]).strip()
    try:
        if cel.evaluate(rule["rule"], variables) is True:
            return None
    except cel.EvaluationError as error:
        return invalid(place.path or "<nil>", place.schema.get("type", ""), f"{error} evaluating rule: {text}")
    return _error(rule, place, _message(rule, variables))


def _message(rule: Rule, variables: dict[str, Any]) -> str:
    expression = rule.get("messageExpression")
    if expression and not cel.problem(expression):
        try:
            made = cel.evaluate(expression, variables)
        except cel.EvaluationError:
            made = ""  # as upstream: the fixed message takes its place
        if isinstance(made, str) and made.strip() and "\n" not in made.strip():
            return made.strip()
    return rule["message"].strip() if rule.get("message") else f"failed rule: {rule['rule'].strip()}"


def _error(rule: Rule, place: Place, message: str) -> FieldError:
    path = f"{place.path}{rule.get('fieldPath', '')}".lstrip(".") or "<nil>"
    kind = place.schema.get("type", "")
    match rule.get("reason"):
        case "FieldValueForbidden":
            return forbidden(path, message)
        case "FieldValueRequired":
            return required(path, message)
        case "FieldValueDuplicate":
            return duplicate(path, kind)
    return invalid(path, kind, message)


# -- where rules apply ---------------------------------------------------------------------------


def _places(value: Any, schema: Any, path: str, old: Any) -> Iterator[Place]:
    if value is None:
        return
    if schema.get(_RULES):
        yield Place(path, value, old, schema)
    for below in schema.get("allOf") or ():
        yield from _places(value, {**below, "type": schema.get("type", "")}, path, ABSENT)
    if isinstance(value, dict):
        properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
        for name, item in value.items():
            before = old.get(name, ABSENT) if isinstance(old, dict) else ABSENT
            if name in properties:
                yield from _places(item, properties[name], f"{path}.{name}" if path else name, before)
            elif isinstance(others, dict):
                yield from _places(item, others, f"{path}[{name}]", before)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        former = correlated(schema, old)
        for index, item in enumerate(value):
            yield from _places(item, schema["items"], f"{path}[{index}]", former(item))
