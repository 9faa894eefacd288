"""Values against a schema, in the words of upstream's validator (kube-openapi), which are what people search for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubelab.engine.apiserver.custom.correlation import ABSENT, correlated
from kubelab.engine.apiserver.custom.formats import is_of_format
from kubelab.engine.apiserver.custom.patterns import matches
from kubelab.engine.apiserver.validation.fields import FieldError, duplicate, invalid, not_supported, quoted, required

_NOWHERE = "<nil>"
"""Where upstream says that a combination of schemas fails."""
_INT_OR_STRING, _EMBEDDED = "x-kubernetes-int-or-string", "x-kubernetes-embedded-resource"
_TYPED = ("apiVersion", "kind", "metadata")

Errors = Iterator[FieldError]


def errors_of(obj: Any, schema: Any, old: Any = ABSENT) -> list[FieldError]:
    """What is wrong with a whole object. Its type and metadata are not looked at.

    Beside an ``old`` version of it, what has not changed may stay as it is (KEP-4008).
    """
    properties = {name: below for name, below in (schema.get("properties") or {}).items() if name not in _TYPED}
    needed = [name for name in schema.get("required") or () if name not in _TYPED]
    rest = {name: value for name, value in obj.items() if name not in _TYPED}
    return list(_check(rest, {**schema, "properties": properties, "required": needed}, "", old))


def value_errors(value: Any, schema: Any, path: str) -> list[FieldError]:
    """What is wrong with a value anywhere in an object."""
    return list(_check(value, schema, path))


def type_name(value: Any) -> str:
    """The JSON type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if value == int(value) and -(2**63) <= value < 2**63 else "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def child(path: str, name: str) -> str:
    """The path of a member."""
    return f"{path}.{name}" if path else name


def _check(value: Any, schema: Any, path: str, old: Any = ABSENT) -> Errors:
    if path and old is not ABSENT and old == value:
        return
    yield from _type(value, schema, path)
    if value is None:
        return
    if enum := schema.get("enum"):
        yield from _enum(value, enum, path)
    yield from _combined(value, schema, path)
    if isinstance(value, str):
        yield from _string(value, schema, path)
    elif isinstance(value, bool):
        pass
    elif isinstance(value, int | float):
        yield from _number(value, schema, path)
    elif isinstance(value, list):
        yield from _array(value, schema, path, old)
    elif isinstance(value, dict):
        yield from _object(value, schema, path, old)


def _type(value: Any, schema: Any, path: str) -> Errors:
    have, want = type_name(value), schema.get("type") or ""
    if value is None:
        if schema.get("nullable") or not (want or schema.get(_INT_OR_STRING)):
            return
    elif schema.get(_INT_OR_STRING):
        if have in ("integer", "string"):
            return
    elif not want or have == want or (want == "number" and have == "integer"):
        return
    if schema.get(_INT_OR_STRING):
        want = "integer,string"
    yield FieldError("FieldValueTypeInvalid", path, have, f'{path} in body must be of type {want}: "{have}"')


def _enum(value: Any, enum: list[Any], path: str) -> Errors:
    if not any(type_name(value) == type_name(one) and value == one for one in enum):
        yield not_supported(path, value, [one if isinstance(one, str) else quoted(one) for one in enum])


def _string(value: str, schema: Any, path: str) -> Errors:
    most, least = schema.get("maxLength"), schema.get("minLength")
    if most is not None and len(value) > most:
        yield FieldError("FieldValueTooLong", path, value, f"may not be more than {most} bytes")
    if least is not None and len(value) < least:
        yield invalid(path, value, f"{path} in body should be at least {least} chars long")
    pattern = schema.get("pattern")
    if pattern and not matches(pattern, value):
        yield invalid(path, value, f"{path} in body should match '{pattern}'")
    wanted = schema.get("format")
    if wanted and not is_of_format(value, wanted):
        yield invalid(path, value, f"{path} in body must be of type {wanted}: {quoted(value)}")


def _number(value: float, schema: Any, path: str) -> Errors:
    most, least, step = schema.get("maximum"), schema.get("minimum"), schema.get("multipleOf")
    if most is not None:
        exclusive = bool(schema.get("exclusiveMaximum"))
        if value > most or (exclusive and value == most):
            said = f"{path} in body should be less than {'' if exclusive else 'or equal to '}{most}"
            yield invalid(path, value, said)
    if least is not None:
        exclusive = bool(schema.get("exclusiveMinimum"))
        if value < least or (exclusive and value == least):
            said = f"{path} in body should be greater than {'' if exclusive else 'or equal to '}{least}"
            yield invalid(path, value, said)
    if step and value / step != int(value / step):
        yield invalid(path, value, f"{path} in body should be a multiple of {step}")
    bits = {"int32": 31, "int64": 63}.get(schema.get("format", ""))
    if bits and schema.get("type") == "integer" and not -(2**bits) <= value < 2**bits:
        yield invalid(path, value, f"{path} in body must be of type {schema['format']}: {quoted(value)}")


def _array(value: list[Any], schema: Any, path: str, old: Any) -> Errors:
    most, least = schema.get("maxItems"), schema.get("minItems")
    if most is not None and len(value) > most:
        yield FieldError("FieldValueTooMany", path, len(value), f"must have at most {most} items")
    if least is not None and len(value) < least:
        yield invalid(path, len(value), f"{path} in body should have at least {least} items")
    items = schema.get("items")
    if items:
        former = correlated(schema, old)
        for index, item in enumerate(value):
            yield from _check(item, items, f"{path}[{index}]", former(item))
    yield from _uniqueness(value, schema, path)


def _uniqueness(value: list[Any], schema: Any, path: str) -> Errors:
    kind = schema.get("x-kubernetes-list-type")
    if kind not in ("set", "map"):
        return
    seen: list[Any] = []
    for index, item in enumerate(value):
        key: Any = item
        if kind == "map":
            if not isinstance(item, dict):
                continue
            key = {name: item.get(name) for name in schema.get("x-kubernetes-list-map-keys") or () if name in item}
        if key in seen:
            yield duplicate(f"{path}[{index}]", key)
        seen.append(key)


def _object(value: dict[str, Any], schema: Any, path: str, old: Any) -> Errors:
    most, least = schema.get("maxProperties"), schema.get("minProperties")
    if most is not None and len(value) > most:
        yield FieldError("FieldValueTooMany", path, len(value), f"must have at most {most} items")
    if least is not None and len(value) < least:
        yield invalid(path, len(value), f"{path} in body should have at least {least} properties")
    for name in schema.get("required") or ():
        if name not in value:
            yield required(child(path, name))
    if schema.get(_EMBEDDED):
        for name in ("apiVersion", "kind"):
            if not value.get(name):
                yield required(child(path, name), "must not be empty")
    properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
    for name, item in value.items():
        below = properties.get(name, others)
        if isinstance(below, dict):
            before = old.get(name, ABSENT) if isinstance(old, dict) else ABSENT
            yield from _check(item, below, child(path, name), before)


def keeps_rules_from_running(error: FieldError) -> bool:
    """Whether rules that are written for sound objects could stumble over this error."""
    return error.reason in (
        "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid")  # fmt: skip


# -- combinations --------------------------------------------------------------------------------


def _combined(value: Any, schema: Any, path: str) -> Errors:
    if branches := schema.get("anyOf"):
        failures = [list(_check(value, branch, path)) for branch in branches]
        if all(failures):
            yield _nowhere(f'"{path}" must validate at least one schema (anyOf)')
            yield from min(failures, key=len)
    if branches := schema.get("oneOf"):
        yield from _one_of([list(_check(value, branch, path)) for branch in branches], path)
    if branches := schema.get("allOf"):
        failures = [list(_check(value, branch, path)) for branch in branches]
        for each in failures:
            yield from each
        if any(failures):
            none = ". None validated" if all(failures) else ""
            yield _nowhere(f'"{path}" must validate all the schemas (allOf){none}')
    if "not" in schema and not any(_check(value, schema["not"], path)):
        yield _nowhere(f'"{path}" must not validate the schema (not)')


def _one_of(failures: list[list[FieldError]], path: str) -> Errors:
    valid = sum(not each for each in failures)
    if valid == 1:
        return
    found = f"Found {valid} valid alternatives" if valid else "Found none valid"
    yield _nowhere(f'"{path}" must validate one and only one schema (oneOf). {found}')
    if not valid:
        yield from min(failures, key=len)


def _nowhere(why: str) -> FieldError:
    return invalid(_NOWHERE, "", why)
