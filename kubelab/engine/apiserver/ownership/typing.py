"""Whether an applied configuration is of its schema's types, in the words of structured-merge-diff."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubelab.engine.apiserver.ownership.fields import Path, dotted
from kubelab.engine.apiserver.ownership.values import child, key_step
from kubelab.engine.apiserver.schema import Shape

_GO_TYPES = {bool: "bool", str: "string", int: "int64", float: "float64", list: "[]interface {}",
             dict: "map[string]interface {}"}  # fmt: skip


def typed_problems(value: Any, shape: Shape | None, at: Path = ()) -> Iterator[str]:
    """What is wrong with a value of that shape, each with its path. A null is of every type."""
    if value is None or shape is None:
        return
    if shape.kind in ("struct", "map"):
        yield from _members(value, shape, at)
    elif shape.kind == "array":
        yield from _items(value, shape, at)
    elif shape.kind in ("integer", "number"):
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield f"{dotted(at)}: expected numeric (int or float), got {_GO_TYPES[type(value)]}"
    elif shape.kind == "string" and not isinstance(value, str):
        yield f"{dotted(at)}: expected string, got &value.valueUnstructured{{Value:{_shown(value)}}}"
    elif shape.kind == "boolean" and not isinstance(value, bool):
        yield f"{dotted(at)}: expected boolean, got &{{{_shown(value)}}}"


def _members(value: Any, shape: Shape, at: Path) -> Iterator[str]:
    if not isinstance(value, dict):
        if shape.item is not shape:  # of an object of which nothing is known it may be anything
            yield f"{dotted(at)}: expected map, got &{{{_shown(value)}}}"
        return
    for name, item in value.items():
        here, below = (*at, f"f:{name}"), child(shape, name)
        if below is None and shape.kind == "struct":
            yield f"{dotted(here)}: field not declared in schema"
            return  # upstream looks no further in this object either
        yield from typed_problems(item, below, here)


def _items(value: Any, shape: Shape, at: Path) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{dotted(at)}: expected list, got &{{{_shown(value)}}}"
        return
    seen: set[str] = set()
    for index, item in enumerate(value):
        step = f"i:{index}"
        if shape.list_type in ("map", "set"):
            if why := _no_key(item, shape):
                yield f"{dotted(at)}: element {index}: {why}"
                return
            step = key_step(item, shape)
            if step in seen:
                yield f"{dotted(at)}: duplicate entries for key {dotted((step,))}"
            seen.add(step)
        yield from typed_problems(item, shape.item, (*at, step))


def _no_key(item: Any, shape: Shape) -> str:
    """Why an item cannot be told apart from others; empty when it can."""
    if shape.list_type == "set":
        what = "associative list without keys has an element that's"
        if isinstance(item, list):
            return "not supported: associative list with lists as elements"
        return f"{what} a map type" if isinstance(item, dict) else f"{what} an explicit null" if item is None else ""
    if item is None:
        return "associative list with keys may not have a null element"
    if not isinstance(item, dict):
        return "associative list with keys may not have non-map elements"
    if key_step(item, shape) == "k:{}":
        keys = " ".join(f'"{key}"' for key in shape.list_keys)
        what = f"associative list with keys has an element that omits all key fields [{keys}]"
        return f"{what} (and doesn't have default values for any key fields)"
    return ""


def _shown(value: Any) -> str:
    """The value as Go prints it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{' '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{name}:{_shown(value[name])}' for name in sorted(value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
