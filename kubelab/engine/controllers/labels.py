"""Labels of objects, and which of them a selector takes."""

from __future__ import annotations

from collections.abc import Mapping

from kubelab.engine.client import Object
from kubelab.engine.selection import requirement_holds, selects

Labels = Mapping[str, str]

__all__ = ["annotations_of", "labels_of", "map_selects", "requirement_holds", "selects"]


def labels_of(obj: Object) -> dict[str, str]:
    """The object's labels; empty when it has none."""
    return obj["metadata"].get("labels") or {}


def annotations_of(obj: Object) -> dict[str, str]:
    """The object's annotations; empty when it has none."""
    return obj["metadata"].get("annotations") or {}


def map_selects(selector: Labels | None, labels: Labels) -> bool:
    """A Service's selector: every pair must be there. An absent or empty one selects nothing."""
    return bool(selector) and all(labels.get(key) == value for key, value in (selector or {}).items())
