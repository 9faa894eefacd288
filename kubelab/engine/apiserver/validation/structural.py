"""Whether a schema is structural: every field has its type, and conditions add nothing to what there is.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
#specifying-a-structural-schema
"""

from __future__ import annotations

import re
from typing import Any

from kubelab.engine.apiserver.custom.checking import value_errors
from kubelab.engine.apiserver.custom.defaults import fill_defaults
from kubelab.engine.apiserver.custom.patterns import compiled
from kubelab.engine.apiserver.encoding import copy
from kubelab.engine.apiserver.validation.fields import FieldError, forbidden, invalid, not_supported, required

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_FORBIDDEN = ("$ref", "$schema", "definitions", "dependencies", "deprecated", "discriminator", "id",
              "patternProperties", "readOnly", "writeOnly", "xml", "additionalItems")  # fmt: skip
_ONLY_OUTSIDE = ("additionalProperties", "default", "description", "nullable", "title", "type")
"""What a branch of anyOf, oneOf, allOf or not may not say."""
_BRANCHES = ("allOf", "anyOf", "oneOf")
_INT_OR_STRING, _PRESERVE = "x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"

Schema = dict[str, Any]


def structural_schema(schema: Schema, at: str) -> list[FieldError]:
    """What keeps the schema of a version from being structural."""
    if schema.get("type") != "object":
        if not schema.get("type"):
            return [required(f"{at}.type", "must not be empty at the root")]
        return [invalid(f"{at}.type", schema["type"], "must be object at the root")]
    return _schema(schema, at)


def _schema(schema: Schema, at: str) -> list[FieldError]:
    errors = _words(schema, at)
    kind = schema.get("type")
    if kind and kind not in _TYPES:
        errors.append(not_supported(f"{at}.type", kind, _TYPES))
    if schema.get("uniqueItems"):
        why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        errors.append(forbidden(f"{at}.uniqueItems", why))
    properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
    if properties and others is not None:
        errors.append(forbidden(f"{at}.additionalProperties", "may not be set together with properties"))
    if others is False:
        errors.append(forbidden(f"{at}.additionalProperties", "additionalProperties cannot be set to false"))
    for name, below in properties.items():
        errors += _typed(below, f"{at}.properties[{name}]", "must not be empty for specified object fields")
    if isinstance(others, dict):
        errors += _typed(others, f"{at}.additionalProperties", "must not be empty for specified object fields")
    errors += _list(schema, at) + _conditions(schema, at)
    if not errors and schema.get("default") is not None:
        value = copy(schema["default"])
        fill_defaults(value, schema)
        errors += value_errors(value, schema, f"{at}.default")
    return errors


def _words(schema: Schema, at: str) -> list[FieldError]:
    errors = [forbidden(f"{at}.{word}", f"{word} is not supported") for word in _FORBIDDEN if schema.get(word)]
    if pattern := schema.get("pattern"):
        try:
            compiled(pattern)
        except re.error as error:
            errors.append(invalid(f"{at}.pattern", pattern, f"must be a valid regular expression, but isn't: {error}"))
    return errors


def _typed(schema: Schema, at: str, why: str) -> list[FieldError]:
    if not schema.get("type") and not schema.get(_INT_OR_STRING) and not schema.get(_PRESERVE):
        return [required(f"{at}.type", why), *_schema(schema, at)]
    return _schema(schema, at)


def _list(schema: Schema, at: str) -> list[FieldError]:
    items, kind = schema.get("items"), schema.get("x-kubernetes-list-type")
    errors: list[FieldError] = []
    if isinstance(items, list):
        return [forbidden(f"{at}.items", "items must be a schema object and not an array")]
    if schema.get("type") == "array" and items is None:
        errors.append(required(f"{at}.items", "must be specified"))
    if items is not None:
        errors += _typed(items, f"{at}.items", "must not be empty for specified array items")
    if kind and kind not in ("atomic", "map", "set"):
        errors.append(not_supported(f"{at}.x-kubernetes-list-type", kind, ("atomic", "map", "set")))
    keys = schema.get("x-kubernetes-list-map-keys") or []
    if kind == "map":
        if not keys:
            why = "must not be empty if x-kubernetes-list-type is map"
            errors.append(required(f"{at}.x-kubernetes-list-map-keys", why))
        errors += _map_keys(items or {}, keys, at)
    elif keys:
        errors.append(forbidden(f"{at}.x-kubernetes-list-map-keys", "may only be set if x-kubernetes-list-type is map"))
    return errors


def _map_keys(items: Schema, keys: list[str], at: str) -> list[FieldError]:
    properties, errors = items.get("properties") or {}, []
    for index, key in enumerate(keys):
        if key not in properties:
            why = "entries must all be names of item properties"
            errors.append(invalid(f"{at}.x-kubernetes-list-map-keys[{index}]", key, why))
        elif key not in (items.get("required") or ()) and "default" not in properties[key]:
            why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            errors.append(required(f"{at}.items.properties[{key}].default", why))
    return errors


def _conditions(schema: Schema, at: str) -> list[FieldError]:
    branches = [(f"{at}.{word}[{i}]", each) for word in _BRANCHES for i, each in enumerate(schema.get(word) or ())]
    if "not" in schema:
        branches.append((f"{at}.not", schema["not"]))
    errors: list[FieldError] = []
    for where, branch in branches:
        errors += _branch(branch, where, int_or_string=bool(schema.get(_INT_OR_STRING)))
    return errors


def _branch(branch: Schema, at: str, *, int_or_string: bool) -> list[FieldError]:
    """A condition, which may ask but not define."""
    errors = [
        forbidden(f"{at}.{word}", "must be empty to be structural")
        for word in _ONLY_OUTSIDE
        if word in branch and not (word == "type" and int_or_string)
    ]
    errors += [forbidden(f"{at}.{word}", "must be empty to be structural") for word in branch if word.startswith("x-")
               and word != "x-kubernetes-validations"]  # fmt: skip
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
