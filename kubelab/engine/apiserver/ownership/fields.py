"""Sets of fields, as trees in the form of ``fieldsV1``.

A step is ``f:name``, ``k:{"key":"value"}`` (an item of a list by its keys) or ``v:value`` (an item of a set). A node
that is empty, or that holds ``.``, is itself a member of the set; the root never is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Fields = dict[str, Any]
Path = tuple[str, ...]


def union(one: Fields, other: Fields) -> Fields:
    """The fields of either."""
    result = dict(one)
    for step, node in other.items():
        mine = result.get(step)
        result[step] = node if mine is None or mine == node else _join(mine, node)
    return result


def _join(one: Fields, other: Fields) -> Fields:
    joined = union(_below(one), _below(other))
    return (_node(_is_member(one) or _is_member(other), joined)) or {}


def subtract(one: Fields, other: Fields) -> Fields:
    """The fields of ``one`` that are not in ``other``."""
    if not other:
        return one
    result: Fields = {}
    for step, node in one.items():
        theirs = other.get(step)
        if theirs is None:
            result[step] = node
        else:
            member = _is_member(node) and not _is_member(theirs)
            kept = _node(member, subtract(_below(node), _below(theirs)))
            if kept is not None:
                result[step] = kept
    return result


def intersect(one: Fields, other: Fields) -> Fields:
    """The fields of both."""
    result: Fields = {}
    for step in one.keys() & other.keys():
        mine, theirs = one[step], other[step]
        member = _is_member(mine) and _is_member(theirs)
        both = _node(member, intersect(_below(mine), _below(theirs)))
        if both is not None:
            result[step] = both
    return result


def paths(fields: Fields, at: Path = ()) -> Iterator[Path]:
    """Every member: those of one level, sorted, before what is in them."""
    yield from ((*at, step) for step in sorted(fields) if _is_member(fields[step]))
    for step in sorted(fields):
        yield from paths(_below(fields[step]), (*at, step))


def has(fields: Fields, path: Path) -> bool:
    """Whether there is a member at the path or below it."""
    for step in path:
        below = fields.get(step)
        if below is None:
            return False
        fields = below
    return True


def dotted(path: Path) -> str:
    """``.spec.ports[port=80,protocol="TCP"].name`` as conflicts name a field."""
    text = ""
    for step in path:
        kind, _, name = step.partition(":")
        if kind == "f":
            text += f".{name}"
        elif kind == "k":
            keys = json.loads(name).items()
            text += "[" + ",".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in keys) + "]"
        else:
            text += f"[{name}]" if kind == "i" else f"[={name}]"
    return text


def _is_member(node: Fields) -> bool:
    return not node or "." in node


def _below(node: Fields) -> Fields:
    return {step: below for step, below in node.items() if step != "."} if "." in node else node


def _node(member: bool, below: Fields) -> Fields | None:
    if member:
        return {".": {}, **below} if below else {}
    return below or None
