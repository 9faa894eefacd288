"""Whether a schema is structural: every field has its type, and conditions add nothing to what there is.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
#specifying-a-structural-schema
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from kubelab.engine.apiserver.custom.checking import value_errors
from kubelab.engine.apiserver.custom.defaults import fill_defaults
from kubelab.engine.apiserver.custom.patterns import compiled
from kubelab.engine.apiserver.custom.pruning import pruned
from kubelab.engine.apiserver.encoding import copy
from kubelab.engine.apiserver.validation.fields import FieldError, forbidden, invalid, not_supported, required
from kubelab.engine.apiserver.validation.rule_declarations import rule_declarations

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_FORBIDDEN = ("$ref", "$schema", "definitions", "dependencies", "deprecated", "discriminator", "id",
              "patternProperties", "readOnly", "writeOnly", "xml", "additionalItems")  # fmt: skip
_ONLY_OUTSIDE = ("additionalProperties", "default", "description", "nullable", "title", "type")
"""What a branch of anyOf, oneOf, allOf or not may not say."""
_NOTHING = {"default": "undefined", "nullable": "false", "additionalProperties": "undefined"}
"""How its absence is called, where it is not called empty."""
_BRANCHES = ("allOf", "anyOf", "oneOf")
_INT_OR_STRING, _PRESERVE = "x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"
_EITHER = [{"type": "integer"}, {"type": "string"}]
"""How a field that is a number or a text says so, if it does."""
_NOT_IN_GO = re.compile(r"\(\?<?[=!]")
"""Looking ahead and back, which Go's expressions cannot."""

Schema = dict[str, Any]


def structural_schema(schema: Schema, at: str) -> list[FieldError]:
    """What keeps the schema of a version from being structural."""
    if schema.get("type") != "object" and not (schema.get(_PRESERVE) and not schema.get("type")):
        if not schema.get("type"):
            return [required(f"{at}.type", "must not be empty at the root")]
        return [invalid(f"{at}.type", schema["type"], "must be object at the root")]
    errors = [forbidden(f"{at}.nullable", "nullable cannot be true at the root")] if schema.get("nullable") else []
    return errors + _whole_object(schema, at) + _schema(schema, at)


def _whole_object(schema: Schema, at: str) -> list[FieldError]:
    """What a schema says of the members that every object has: hardly anything."""
    properties, errors = schema.get("properties") or {}, []
    for name, kind in (("apiVersion", "string"), ("kind", "string"), ("metadata", "object")):
        below = properties.get(name) or {}
        if below.get("type", kind) != kind:
            errors.append(invalid(f"{at}.properties[{name}].type", below["type"], f"must be {kind}"))
    meta = properties.get("metadata") or {}
    named = set(meta.get("properties") or ()) <= {"name", "generateName"}
    if not named or set(meta) - {"type", "properties", "description"}:
        why = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        errors.append(forbidden(f"{at}.properties[metadata]", why))
    return errors


def _schema(schema: Schema, at: str, *, told: bool = True) -> list[FieldError]:
    """``told``: whether defaults are looked at, which upstream does not do below ``additionalProperties``."""
    errors = _words(schema, at)
    kind = schema.get("type")
    if kind and kind not in _TYPES:
        errors.append(not_supported(f"{at}.type", kind, _TYPES))
    if schema.get("uniqueItems"):
        why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        errors.append(forbidden(f"{at}.uniqueItems", why))
    properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
    if properties and others is not None:
        errors.append(
            forbidden(f"{at}.additionalProperties", "additionalProperties and properties are mutual exclusive")
        )
    why = "must not be empty for specified object fields"
    for name, below in properties.items():
        errors += _typed(below, f"{at}.properties[{name}]", why, told=told)
    if isinstance(others, dict):
        errors += _typed(others, f"{at}.additionalProperties", why, told=False)
    errors += _list(schema, at, told=told) + _object(schema, at) + _conditions(schema, at)
    errors += rule_declarations(schema, at)
    if told and not errors and schema.get("default") is not None:
        errors += _default(schema, f"{at}.default")
    return errors


def _default(schema: Schema, at: str) -> list[FieldError]:
    unknown: list[str] = []
    pruned({"it": schema["default"]}, {"properties": {"it": schema}}, unknown)
    if unknown:
        return [invalid(at, schema["default"], "must not have unknown fields")]
    value = copy(schema["default"])
    fill_defaults(value, schema)
    return [replace(each, detail=each.detail.replace(at, "")) for each in value_errors(value, schema, at)]


def _object(schema: Schema, at: str) -> list[FieldError]:
    """What Kubernetes' own words ask of a schema for objects."""
    errors: list[FieldError] = []
    kind, map_type = schema.get("type", ""), schema.get("x-kubernetes-map-type")
    if schema.get(_PRESERVE) is False:
        errors.append(invalid(f"{at}.{_PRESERVE}", False, "must be true or undefined"))
    if map_type is not None:
        if map_type not in ("atomic", "granular"):
            errors.append(not_supported(f"{at}.x-kubernetes-map-type", map_type, ("atomic", "granular")))
        if kind != "object":
            errors.append(invalid(f"{at}.type", kind, "must be object if x-kubernetes-map-type is specified"))
    if schema.get(_EMBEDDED):
        if kind != "object":
            errors.append(invalid(f"{at}.type", kind, f"must be object if {_EMBEDDED} is true"))
        if not schema.get("properties") and not schema.get(_PRESERVE):
            why = f"must not be empty if {_EMBEDDED} is true without {_PRESERVE}"
            errors.append(required(f"{at}.properties", why))
    return errors


def _words(schema: Schema, at: str) -> list[FieldError]:
    errors = [forbidden(f"{at}.{word}", f"{word} is not supported") for word in _FORBIDDEN if schema.get(word)]
    if pattern := schema.get("pattern"):
        if found := _NOT_IN_GO.search(pattern):
            why = f"error parsing regexp: invalid or unsupported Perl syntax: `{found[0]}`"
            return [*errors, invalid(f"{at}.pattern", pattern, f"must be a valid regular expression, but isn't: {why}")]
        try:
            compiled(pattern)
        except re.error as error:
            why = f"must be a valid regular expression, but isn't: {_go_regexp_error(error, pattern)}"
            errors.append(invalid(f"{at}.pattern", pattern, why))
    return errors


def _go_regexp_error(error: re.error, pattern: str) -> str:
    """Python's complaint as Go words it."""
    rest = pattern[error.pos or 0 :]
    for said, words, shown in (
        ("missing )", "missing closing )", pattern),
        ("unbalanced parenthesis", "unexpected )", pattern),
        ("unterminated character set", "missing closing ]", rest),
        ("nothing to repeat", "missing argument to repetition operator", rest[:1]),
    ):
        if error.msg.startswith(said):
            return f"error parsing regexp: {words}: `{shown}`"
    return f"error parsing regexp: {error.msg}: `{rest}`"


def _typed(schema: Schema, at: str, why: str, *, told: bool) -> list[FieldError]:
    if not schema.get("type") and not schema.get(_INT_OR_STRING) and not schema.get(_PRESERVE):
        return [required(f"{at}.type", why), *_schema(schema, at, told=told)]
    return _schema(schema, at, told=told)


def _list(schema: Schema, at: str, *, told: bool) -> list[FieldError]:
    items, kind = schema.get("items"), schema.get("x-kubernetes-list-type")
    errors: list[FieldError] = []
    if isinstance(items, list):
        return [forbidden(f"{at}.items", "items must be a schema object and not an array")]
    if schema.get("type") == "array" and items is None:
        errors.append(required(f"{at}.items", "must be specified"))
    if items is not None:
        errors += _typed(items, f"{at}.items", "must not be empty for specified array items", told=told)
    if kind and kind not in ("atomic", "map", "set"):
        supported = 'supported values: "atomic", "set", "map"'
        errors.append(FieldError("FieldValueNotSupported", f"{at}.x-kubernetes-list-type", kind, supported))
    if kind and schema.get("type") != "array":
        errors.append(
            invalid(f"{at}.type", schema.get("type", ""), "must be array if x-kubernetes-list-type is specified")
        )
    if kind in ("map", "set") and (items or {}).get("nullable"):
        errors.append(forbidden(f"{at}.items.nullable", f"cannot be nullable when x-kubernetes-list-type is {kind}"))
    if kind == "set":
        errors += _set_items(items or {}, f"{at}.items")
    keys = schema.get("x-kubernetes-list-map-keys") or []
    if kind == "map":
        if not keys:
            why = "must not be empty if x-kubernetes-list-type is map"
            errors.append(required(f"{at}.x-kubernetes-list-map-keys", why))
        errors += _map_keys(items or {}, keys, at)
    elif keys:
        why = "must be map if x-kubernetes-list-map-keys is non-empty"
        errors.append(required(f"{at}.x-kubernetes-list-type", why))
    return errors


def _set_items(items: Schema, at: str) -> list[FieldError]:
    """Only what is one value can be told from another."""
    for kind, member in (("object", "x-kubernetes-map-type"), ("array", "x-kubernetes-list-type")):
        said = items.get(member)
        if items.get("type") == kind and said != "atomic" and (kind == "object" or said):
            why = "must be atomic as item of a list with x-kubernetes-list-type=set"
            return [invalid(f"{at}.{member}", said, why)]
    return []


def _map_keys(items: Schema, keys: list[str], at: str) -> list[FieldError]:
    properties, errors = items.get("properties") or {}, []
    if items and items.get("type") != "object":
        why = "must be object if parent array's x-kubernetes-list-type is map"
        return [invalid(f"{at}.items.type", items.get("type", ""), why)]
    if len(set(keys)) < len(keys):
        errors.append(invalid(f"{at}.x-kubernetes-list-map-keys", keys, "must not contain duplicate entries"))
    for key in dict.fromkeys(key for key in keys if key in properties):
        here, below = f"{at}.items.properties[{key}]", properties[key]
        if below.get("type") in ("array", "object"):
            why = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            errors.append(invalid(f"{here}.type", below["type"], why))
        if below.get("nullable"):
            why = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"
            errors.append(forbidden(f"{here}.nullable", why))
    for key in keys:
        if key not in properties:
            why = "entries must all be names of item properties"
            errors.append(invalid(f"{at}.x-kubernetes-list-map-keys", keys, why))
        elif key not in (items.get("required") or ()) and "default" not in properties[key]:
            why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            errors.append(required(f"{at}.items.properties[{key}].default", why))
    return errors


def _conditions(schema: Schema, at: str) -> list[FieldError]:
    branches = [(f"{at}.{word}[{i}]", each) for word in _BRANCHES for i, each in enumerate(schema.get(word) or ())]
    if "not" in schema:
        branches.append((f"{at}.not", schema["not"]))
    errors: list[FieldError] = []
    told = schema.get(_INT_OR_STRING) and schema.get("anyOf") == _EITHER
    for where, branch in branches:
        either = told or (schema.get(_INT_OR_STRING) and branch.get("anyOf") == _EITHER)
        errors += _branch(branch, where, int_or_string=bool(either))
    return errors


def _branch(branch: Schema, at: str, *, int_or_string: bool) -> list[FieldError]:
    """A condition, which may ask but not define."""
    errors = [
        forbidden(f"{at}.{word}", f"must be {_NOTHING.get(word, 'empty')} to be structural")
        for word in _ONLY_OUTSIDE
        if word in branch and not (word == "type" and int_or_string)
    ]
    errors += [
        forbidden(f"{at}.{word}", f"must be {'false' if branch[word] is True else 'empty'} to be structural")
        for word in branch
        if word.startswith("x-")
    ]
    errors += _words(branch, at)
    for name, below in (branch.get("properties") or {}).items():
        errors += _branch(below, f"{at}.properties[{name}]", int_or_string=False)
    if isinstance(branch.get("items"), dict):
        errors += _branch(branch["items"], f"{at}.items", int_or_string=False)
    for word in _BRANCHES:
        for index, below in enumerate(branch.get(word) or ()):
            errors += _branch(below, f"{at}.{word}[{index}]", int_or_string=int_or_string)
    if "not" in branch:
        errors += _branch(branch["not"], f"{at}.not", int_or_string=int_or_string)
    return errors
