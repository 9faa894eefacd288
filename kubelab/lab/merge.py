"""Three-way merge, as `kubectl apply` does it.

What was applied last, what the cluster has now, what is to be: a field that was applied and is gone from the manifest
goes away; a field that somebody else set (a default, an allocated port, a scaled replica count) stays.
Source: https://kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config/#merge-patch-calculation
"""

from __future__ import annotations

from typing import Any

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""kubectl's own annotation, so that `kubectl apply` and `lab.apply` can take turns on one object."""

_KEYS = {
    "containers": ("name",),
    "initContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "ports": ("containerPort", "port", "protocol"),
}
"""Lists whose elements have an identity, and what it is made of; any other list is replaced whole."""


def merge(last: Any, live: Any, new: Any, field: str = "") -> Any:
    """What the object should be. ``field`` is the name under which these values stand."""
    if isinstance(new, dict) and isinstance(live, dict):
        return _merge_mappings(last if isinstance(last, dict) else {}, live, new)
    if field in _KEYS and isinstance(new, list) and isinstance(live, list):
        return _merge_lists(last if isinstance(last, list) else [], live, new, field)
    return _without_nulls(new)


def _merge_mappings(last: dict[str, Any], live: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    result = {key: value for key, value in live.items() if key in new or key not in last}
    for key, value in new.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(last.get(key), live.get(key), value, key)
    return result


def _merge_lists(last: list[Any], live: list[Any], new: list[Any], field: str) -> list[Any]:
    def identity(element: Any) -> Any:
        if not isinstance(element, dict):
            return element
        named = {"protocol": "TCP", **element} if field == "ports" else element
        return tuple(named.get(key) for key in _KEYS[field])

    before = {identity(element): element for element in last}
    now = {identity(element): element for element in live}
    wanted = {identity(element) for element in new}
    merged = [merge(before.get(identity(element)), now.get(identity(element)), element) for element in new]
    return merged + [element for element in live if identity(element) not in wanted | before.keys()]


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return value
