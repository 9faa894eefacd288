"""Which part of an old object a part of the new one stands for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

ABSENT: Any = object()
"""There is no old value that this one could be compared with."""


def correlated(schema: Any, old: Any) -> Callable[[Any], Any]:
    """Finds the old item of a list that an item stands for: only lists with keys say which that is."""
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    if not keys or not isinstance(old, list):
        return lambda item: ABSENT
    known = {_key(item, keys): item for item in old}
    return lambda item: known.get(_key(item, keys), ABSENT)


def _key(item: Any, keys: Any) -> tuple[str, ...]:
    return tuple(repr(item.get(key)) for key in keys) if isinstance(item, dict) else ()
