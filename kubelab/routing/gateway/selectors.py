"""Label selectors of namespaces, in ``allowedRoutes``."""

from __future__ import annotations

from collections.abc import Mapping

from kubelab.routing.objects import Object


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a ``metav1.LabelSelector`` holds for an object's labels; an empty one holds for all."""
    exact = (selector.get("matchLabels") or {}).items()
    return all(labels.get(key) == value for key, value in exact) and all(
        _holds(each, labels) for each in selector.get("matchExpressions") or ()
    )


def _holds(requirement: Object, labels: Mapping[str, str]) -> bool:
    key, values = requirement["key"], requirement.get("values") or ()
    match requirement["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels
