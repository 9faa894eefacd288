"""``selectableFields``: which fields of a custom resource field selectors may name.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
#crd-selectable-fields (1.36)
"""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.validation.fields import FieldError, duplicate, invalid, required, too_many

_MOST = 8
_KINDS = ("string", "boolean", "integer")
_WHICH = (
    "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."
)


def selectable_fields(fields: list[dict[str, Any]], schema: dict[str, Any], at: str) -> list[FieldError]:
    """What is wrong with the fields that one version lets select by."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, field in enumerate(fields):
        path, here = field.get("jsonPath", ""), f"{at}[{index}].jsonPath"
        if not path:
            errors.append(required(here))
        elif why := _unfit(path, schema):
            errors.append(invalid(here, path, why))
        elif path in seen:
            errors.append(duplicate(here, path))
        seen.add(path)
    return errors + ([too_many(at, len(fields), _MOST)] if len(fields) > _MOST else [])


def _unfit(path: str, schema: dict[str, Any]) -> str:
    """Why nothing can be selected by the path; empty when it can."""
    if not path.startswith("."):
        return f"is an invalid path: expected [ or . but got: {path.partition('.')[0]}"
    if "[" in path:
        return "is an invalid path: array notation is not allowed"
    first, *_ = names = path[1:].split(".")
    below: Any = {} if first in ("metadata", "apiVersion", "kind") else schema
    for name in names:
        below = (below.get("properties") or {}).get(name)
        if below is None:
            return "is an invalid path: does not refer to a valid field"
    return "" if below.get("type") in _KINDS else _WHICH
