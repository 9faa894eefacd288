"""Which labels a selector takes.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubelab.engine.client import Object

Labels = Mapping[str, str]


def labels_of(obj: Object) -> dict[str, str]:
    """The object's labels; empty when it has none."""
    return obj["metadata"].get("labels") or {}


def annotations_of(obj: Object) -> dict[str, str]:
    """The object's annotations; empty when it has none."""
    return obj["metadata"].get("annotations") or {}


def map_selects(selector: Labels | None, labels: Labels) -> bool:
    """A Service's selector: every pair must be there. An absent or empty one selects nothing."""
    return bool(selector) and all(labels.get(key) == value for key, value in (selector or {}).items())


def selects(selector: Object | None, labels: Labels) -> bool:
    """A LabelSelector: ``matchLabels`` and ``matchExpressions``. None selects nothing, an empty one everything."""
    if selector is None:
        return False
    pairs = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in pairs.items()) and all(
        requirement_holds(requirement, labels) for requirement in selector.get("matchExpressions") or ()
    )


def requirement_holds(requirement: Mapping[str, Any], labels: Labels) -> bool:
    """One ``{key, operator, values}``; with Gt and Lt, which only node affinity has."""
    value = labels.get(requirement["key"])
    values = requirement.get("values") or []
    match requirement["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt":
            return _is_number(value) and int(value or 0) > int(values[0])
        case "Lt":
            return _is_number(value) and int(value or 0) < int(values[0])
    return False


def _is_number(value: str | None) -> bool:
    return value is not None and value.lstrip("-").isdigit()
