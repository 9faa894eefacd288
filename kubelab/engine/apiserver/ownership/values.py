"""Fields of values: what a configuration sets, how two states differ, where a path leads.

Whether a list is one value or many, and by which keys its items are told apart, the schema says
(``x-kubernetes-list-type``).
"""

from __future__ import annotations

import json
from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.ownership.fields import Fields, Path
from kubelab.engine.apiserver.schema import OPEN, Shape

GONE = object()
"""What `find` gives where there is nothing."""

_ALWAYS_THERE = frozenset(
    ("metadata", "spec", "status", "strategy", "updateStrategy", "template", "loadBalancer", "names")
)
"""Structs that are never absent in Go's types, so that nobody sets them; the published schema does not tell them."""

_KEY_DEFAULTS = {"protocol": "TCP"}
"""That the published schemas do not say."""


def set_fields(value: Object, shape: Shape | None) -> Fields:
    """All that a configuration sets: leaves, items of lists with keys, and what a map has (its keys are data)."""
    found: Fields = {}
    for name, item in value.items():
        node = _set(item, child(shape, name))
        if node is not None:
            found[f"f:{name}"] = {".": {}, **node} if node and _is_data(shape, name) else node
        elif _is_data(shape, name):
            found[f"f:{name}"] = {}
    return found


def _is_data(shape: Shape | None, name: str) -> bool:
    """Whether the member is not one that the type names."""
    return shape is None or shape.struct is None or name not in shape.struct.fields


def _set(value: Any, shape: Shape | None) -> Fields | None:
    """What a value sets: an empty node is the value itself, None nothing at all."""
    if shape is not None and not shape.atomic and (is_keyed(value, shape) or is_set(value, shape)):
        if is_set(value, shape):
            return {key_step(item, shape): {} for item in value} or None
        whole = shape.item is not None and shape.item.atomic
        return {
            key_step(item, shape): {} if whole else {".": {}, **set_fields(item, shape.item)} for item in value
        } or None
    if not value or shape is None or shape.atomic or not isinstance(value, dict):
        return {}
    return (set_fields(value, shape) or None) if shape.kind in ("struct", "map") else {}


def differences(old: Object, new: Object, shape: Shape | None) -> tuple[Fields, Fields]:
    """What was added or changed from ``old`` to ``new``, and what was taken away."""
    changed: Fields = {}
    removed: Fields = {}
    for name, value in new.items():
        if name not in old:
            changed[f"f:{name}"] = _added(value, child(shape, name), always=_is_always_there(shape, name))
        elif old[name] != value or type(old[name]) is not type(value):
            _differ(f"f:{name}", old[name], value, child(shape, name), changed, removed)
    for name, value in old.items():
        if name not in new:
            removed[f"f:{name}"] = _added(value, child(shape, name))
    return changed, removed


def _differ(step: str, old: Any, new: Any, shape: Shape | None, changed: Fields, removed: Fields) -> None:
    """Enter under ``step`` how two different values differ."""
    if shape is None or shape.atomic or type(old) is not type(new):
        changed[step] = {}
        return
    if isinstance(new, dict) and shape.kind in ("struct", "map"):
        inside = differences(old, new, shape)
    elif isinstance(new, list) and is_keyed(old, shape) and is_keyed(new, shape):
        inside = _differ_by_key(old, new, shape)
    elif isinstance(new, list) and is_set(old, shape) and is_set(new, shape):
        before: Fields = {key_step(item, shape): {} for item in old}
        now: Fields = {key_step(item, shape): {} for item in new}
        inside = _without(now, before), _without(before, now)
    else:
        changed[step] = {}
        return
    for entered, fields in zip((changed, removed), inside, strict=True):
        if fields:
            entered[step] = fields


def _differ_by_key(old: list[Any], new: list[Any], shape: Shape) -> tuple[Fields, Fields]:
    before = {key_step(item, shape): item for item in old}
    now = {key_step(item, shape): item for item in new}
    changed = {step: _added(item, shape.item) for step, item in now.items() if step not in before}
    removed = {step: _added(item, shape.item) for step, item in before.items() if step not in now}
    for step in now.keys() & before.keys():
        if now[step] != before[step]:
            _differ(step, before[step], now[step], shape.item, changed, removed)
    return changed, removed


def _without(one: Fields, other: Fields) -> Fields:
    return {step: node for step, node in one.items() if step not in other}


def _is_always_there(shape: Shape | None, name: str) -> bool:
    """Whether the member is such a struct; all that a custom resource has beside its metadata are maps."""
    own = child(shape, name) if name in _ALWAYS_THERE else None
    return own is not None and own.struct is not None and bool(own.struct.name)


def _added(value: Any, shape: Shape | None, *, always: bool = False) -> Fields:
    """Of a value that was not there: with its members the thing itself, unless it is ``always`` there."""
    if not value or shape is None or shape.atomic:
        return {}
    if isinstance(value, dict):
        if shape.kind not in ("struct", "map"):
            return {}
        below = {
            f"f:{key}": _added(item, child(shape, key), always=_is_always_there(shape, key))
            for key, item in value.items()
        }
        return below if always else {".": {}, **below}
    if is_keyed(value, shape):
        below = {key_step(item, shape): _added(item, shape.item) for item in value}
    elif is_set(value, shape):
        below = {key_step(item, shape): {} for item in value}
    else:
        return {}
    return below if shape.required else {".": {}, **below}


def child(shape: Shape | None, name: str) -> Shape | None:
    """The shape of a member."""
    if shape is None:
        return None
    if shape.kind == "struct" and shape.struct is not None:
        return shape.struct.fields.get(name, OPEN if shape.struct.open else None)
    return shape.item


def is_keyed(items: Any, shape: Shape) -> bool:
    """Whether the items are told by their keys; those of a custom resource may turn out to be no objects at all."""
    return shape.list_type == "map" and isinstance(items, list) and all(isinstance(item, dict) for item in items)


def is_set(items: Any, shape: Shape) -> bool:
    """Whether every item is its own key."""
    return shape.list_type == "set" and isinstance(items, list)


def key_step(item: Any, shape: Shape) -> str:
    """``k:{"port":80,"protocol":"TCP"}``, or ``v:80`` in a set."""
    if shape.list_type == "set":
        return f"v:{json.dumps(item, ensure_ascii=False)}"
    keys = {key: item.get(key, _key_default(shape, key)) for key in sorted(shape.list_keys)}
    told = {key: value for key, value in keys.items() if value is not None}
    return "k:" + json.dumps(told, separators=(",", ":"), ensure_ascii=False)


def _key_default(shape: Shape, key: str) -> Any:
    field = shape.item.struct.fields.get(key) if shape.item and shape.item.struct else None
    return field.default if field and field.default is not None else _KEY_DEFAULTS.get(key)


def find(value: Any, path: Path) -> Any:
    """The value at a path, or `GONE`."""
    for step in path:
        kind, _, name = step.partition(":")
        if kind == "f":
            value = value.get(name, GONE) if isinstance(value, dict) else GONE
        elif isinstance(value, list):
            value = next((item for item in value if matches(item, kind, name)), GONE)
        else:
            return GONE
        if value is GONE:
            return GONE
    return value


def matches(item: Any, kind: str, name: str) -> bool:
    """Whether an item of a list is the one of the step ``kind:name``."""
    wanted = json.loads(name)
    if kind == "v":
        return item == wanted
    return isinstance(item, dict) and all(
        item.get(key, _KEY_DEFAULTS.get(key)) == value for key, value in wanted.items()
    )
