"""Values against a schema, in the words of upstream's validator (kube-openapi), which are what people search for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kubelab.engine.apiserver.custom.correlation import ABSENT, correlated
from kubelab.engine.apiserver.custom.formats import is_of_format
from kubelab.engine.apiserver.custom.patterns import matches
from kubelab.engine.apiserver.encoding import same
from kubelab.engine.apiserver.validation.fields import (
    FieldError,
    duplicate,
    invalid,
    quoted,
    required,
    too_long,
    too_many,
)
from kubelab.engine.apiserver.validation.metadata import object_meta
from kubelab.engine.apiserver.validation.names import path_segment

_NOWHERE = "<nil>"
"""Where upstream says that a combination of schemas fails."""
_INT_OR_STRING, _EMBEDDED = "x-kubernetes-int-or-string", "x-kubernetes-embedded-resource"
_MOST_EXACT = 2**53
"""Below it every whole number can be a float, and is taken for an integer."""
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
        return "integer" if isinstance(value, int) and -(2**63) <= value < 2**63 else "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def child(path: str, name: str) -> str:
    """The path of a member."""
    return f"{path}.{name}" if path else name


def _check(value: Any, schema: Any, path: str, old: Any = ABSENT) -> Errors:
    if path and old is not ABSENT and same(old, value):
        return
    yield from _type(value, schema, path)
    if enum := schema.get("enum"):
        yield from _enum(value, enum, path)
    if value is None:
        return
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
        if have == "string" or _is_whole(value):
            return
    elif want in ("", have) or (want == "integer" and _is_whole(value)) or (want, have) == ("number", "integer"):
        return
    if schema.get(_INT_OR_STRING):
        want = "integer,string"
    yield FieldError("FieldValueTypeInvalid", path, have, f'{path} in body must be of type {want}: "{have}"')


def _is_whole(value: Any) -> bool:
    if type_name(value) == "integer":
        return True
    return isinstance(value, float) and abs(value) < _MOST_EXACT and value == int(value)


def _enum(value: Any, enum: list[Any], path: str) -> Errors:
    if not any(_is_one(value, one) for one in enum):
        listed = ", ".join(quoted(one if isinstance(one, str) else quoted(one)) for one in enum)
        yield FieldError("FieldValueNotSupported", path, value, f"supported values: {listed}")


def _is_one(value: Any, one: Any) -> bool:
    numbers = type(one) in (int, float) and type(value) in (int, float)
    if numbers and type(one) is int:
        return int(value) == one  # as Go converts the one to the other's type
    return (numbers or type(value) is type(one)) and value == one


def _string(value: str, schema: Any, path: str) -> Errors:
    most, least = schema.get("maxLength"), schema.get("minLength")
    pattern = schema.get("pattern")
    if most is not None and len(value) > most:  # of these three upstream tells only the first
        yield too_long(path, most)
    elif least is not None and len(value) < least:
        yield invalid(path, value, f"{path} in body should be at least {least} chars long")
    elif pattern and not matches(pattern, value):
        yield invalid(path, value, f"{path} in body should match '{pattern}'")
    wanted = schema.get("format")
    if wanted and not is_of_format(value, wanted):
        why = f"{path} in body must be of type {wanted}: {quoted(value)}"
        yield FieldError("FieldValueTypeInvalid", path, value, why)


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
    if step and isinstance(value, int):
        step = int(step)  # as Go has it of the value's own type
    if step is not None and step <= 0:
        yield invalid(path, step, f"factor MultipleOf declared for {path} must be positive: {step}")
    elif step and value / step != int(value / step):
        yield invalid(path, value, f"{path} in body should be a multiple of {step}")
    if schema.get("type") == "integer":
        said = schema.get("format", "")
        bits = {"int32": 31}.get(said, 63)
        if not _is_whole(value) or not -(2**bits) <= value < 2**bits:
            form = f"with format {said}" if said else "(default format)"
            yield _nowhere(f"Checked value must be of type integer {form} in {path}")


def _array(value: list[Any], schema: Any, path: str, old: Any) -> Errors:
    most, least = schema.get("maxItems"), schema.get("minItems")
    if most is not None and len(value) > most:
        yield too_many(path, len(value), most)
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
            if item is None:
                continue
            if not isinstance(item, dict):
                yield invalid(f"{path}[{index}]", item, "must be an object for an array of list-type map")
                continue
            key = {name: item.get(name) for name in schema.get("x-kubernetes-list-map-keys") or () if name in item}
        if key in seen:
            yield duplicate(f"{path}[{index}]", key)
        seen.append(key)


def _object(value: dict[str, Any], schema: Any, path: str, old: Any) -> Errors:
    most, least = schema.get("maxProperties"), schema.get("minProperties")
    if most is not None and len(value) > most:
        yield too_many(path, len(value), most)
    if least is not None and len(value) < least:
        yield invalid(path, len(value), f"{path} in body should have at least {least} properties")
    for name in schema.get("required") or ():
        if name not in value:
            yield required(child(path, name))
    if schema.get(_EMBEDDED):
        yield from _embedded(value, path)
    properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
    for name, item in value.items():
        below = properties.get(name, others)
        if isinstance(below, dict):
            before = old.get(name, ABSENT) if isinstance(old, dict) else ABSENT
            yield from _check(item, below, child(path, name), before)


def _embedded(value: dict[str, Any], path: str) -> Errors:
    """An object within an object: its type has to be told, and its metadata be sound, though it needs no name."""
    for name in ("apiVersion", "kind"):
        said = value.get(name)
        if name not in value:
            yield required(child(path, name))
        elif not isinstance(said, str):
            yield invalid(child(path, name), said, "must be a string")
        elif not said:
            yield invalid(child(path, name), said, "must not be empty")
    meta = value.get("metadata")
    if isinstance(meta, dict):
        named = {"metadata": {**meta, "name": meta.get("name") or "fakename"}}
        for error in object_meta(named, path_segment):
            yield replace(error, field=child(path, error.field))


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
