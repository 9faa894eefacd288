"""Defaults of a schema, filled in where a field is missing. Nulls of fields that may not be null count as missing."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.encoding import copy


def fill_defaults(value: Any, schema: Any) -> None:
    """Changes ``value`` in place."""
    if isinstance(value, dict):
        properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
        for name, below in properties.items():
            _member(value, name, below)
        if isinstance(others, dict):
            for name in value.keys() - properties.keys():
                _member(value, name, others, absent=False)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value:
            fill_defaults(item, schema["items"])


def _member(holder: dict[str, Any], name: str, schema: Any, *, absent: bool = True) -> None:
    """One field; ``absent``: whether one that is not there gets its default."""
    if name in holder and holder[name] is None and not schema.get("nullable"):
        del holder[name]
        absent = True
    if name not in holder and absent and "default" in schema:
        holder[name] = copy(schema["default"])
    if name in holder:
        fill_defaults(holder[name], schema)
