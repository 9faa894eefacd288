"""What a custom resource holds where its Scale looks for numbers, in the words of apimachinery's accessors."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.validation.fields import FieldError, invalid

_MOST = 2**31 - 1
_ABSENT = object()


def scale_errors(obj: Object, scale: Object, *, status_only: bool) -> list[FieldError]:
    """What keeps the object from being scaled. Of a change to its status only that is looked at."""
    paths = ([] if status_only else [scale["specReplicasPath"]]) + [scale["statusReplicasPath"]]
    return [error for path in paths for error in _number(obj, path)]


def _number(obj: Object, path: str) -> list[FieldError]:
    value: Any = obj
    for name in path.lstrip(".").split("."):
        if value is None:
            return []
        if not isinstance(value, dict):
            return [invalid(path, 0, _mismatch(path, value, "map[string]interface{}"))]
        value = value.get(name, _ABSENT)
        if value is _ABSENT:
            return []
    if type(value) is not int:
        return [invalid(path, 0, _mismatch(path, value, "int64"))]
    if value < 0:
        return [invalid(path, value, "should be a non-negative integer")]
    return [invalid(path, value, f"should be less than or equal to {_MOST}")] if value > _MOST else []


def _mismatch(path: str, value: Any, wanted: str) -> str:
    shown, kind = _go(value)
    return f".{path.lstrip('.')} accessor error: {shown} is of the type {kind}, expected {wanted}"


def _go(value: Any) -> tuple[str, str]:
    """The value and its type as Go prints them."""
    if value is None:
        return "<nil>", "<nil>"
    if isinstance(value, bool):
        return str(value).lower(), "bool"
    if isinstance(value, str):
        return value, "string"
    if isinstance(value, list):
        return f"[{' '.join(_go(each)[0] for each in value)}]", "[]interface {}"
    if isinstance(value, dict):
        inside = " ".join(f"{name}:{_go(value[name])[0]}" for name in sorted(value))
        return f"map[{inside}]", "map[string]interface {}"
    return f"{value:g}", "float64"
