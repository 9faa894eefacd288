"""Defaults of a schema, filled in where a field is missing (or null and may not be)."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.encoding import copy


def fill_defaults(value: Any, schema: Any) -> None:
    """Changes ``value`` in place."""
    if isinstance(value, dict):
        properties = schema.get("properties") or {}
        for name, below in properties.items():
            missing = name not in value or (value[name] is None and not below.get("nullable"))
            if missing and "default" in below:
                value[name] = copy(below["default"])
            if isinstance(value.get(name), dict | list):
                fill_defaults(value[name], below)
        others = schema.get("additionalProperties")
        if isinstance(others, dict):
            for name, item in value.items():
                if name not in properties:
                    if item is None and not others.get("nullable") and "default" in others:
                        value[name] = copy(others["default"])
                    fill_defaults(value[name], others)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            if item is None and not schema["items"].get("nullable") and "default" in schema["items"]:
                value[index] = copy(schema["items"]["default"])
            fill_defaults(value[index], schema["items"])
