"""The part of kubectl's JSONPath that columns use: members, indexes, ``[*]`` and ``[?(@.type=="Ready")]``."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

_STEP = re.compile(
    r"""\.(?P<name>(?:\\.|[^.\[\]\\])+)
      | \[\s*(?P<index>-?\d+)\s*\]
      | \[\s*(?P<all>\*)\s*\]
      | \[\s*'(?P<quoted>[^']*)'\s*\]
      | \[\?\(\s*@(?P<path>[^=!<>\s]*)\s*(?P<op>==|!=|<=|>=|<|>)\s*(?P<value>"[^"]*"|'[^']*'|[^\s)]+)\s*\)\]""",
    re.VERBOSE,
)

Step = tuple[str, Any]


class BadPath(ValueError):
    """The expression is not one that is read here."""


@lru_cache(maxsize=256)
def steps(path: str) -> tuple[Step, ...]:
    """The steps of a path. Raises `BadPath`."""
    result: list[Step] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise BadPath(f"cannot read the path {path!r} from {path[at:]!r} on")
        at = match.end()
        if match["name"] is not None:
            name = re.sub(r"\\(.)", r"\1", match["name"])
            result.append(("all", None) if name == "*" else ("name", name))
        elif match["index"] is not None:
            result.append(("index", int(match["index"])))
        elif match["quoted"] is not None:
            result.append(("name", match["quoted"]))
        elif match["all"]:
            result.append(("all", None))
        else:
            result.append(("where", (match["path"], match["op"], _literal(match["value"]))))
    return tuple(result)


def _literal(text: str) -> Any:
    if text[0] in "\"'":
        return text[1:-1]
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise BadPath(f"cannot read the value {text!r}") from None


def found(obj: Any, path: str) -> list[Any]:
    """Every value that the path leads to; none when it cannot be read (definitions are not refused for it)."""
    try:
        values = [obj]
        for kind, what in steps(path):
            values = [below for value in values for below in _down(value, kind, what)]
        return [value for value in values if value is not None]
    except BadPath:
        return []


def _down(value: Any, kind: str, what: Any) -> list[Any]:
    if kind == "name":
        return [value[what]] if isinstance(value, dict) and what in value else []
    if kind == "all":
        return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    if not isinstance(value, list):
        return []
    if kind == "index":
        return [value[what]] if -len(value) <= what < len(value) else []
    below, op, literal = what
    return [item for item in value if any(_holds(one, op, literal) for one in found(item, below))]


def _holds(value: Any, op: str, literal: Any) -> bool:
    if op in ("==", "!="):
        return (value == literal) == (op == "==")
    try:
        return bool({"<": value < literal, ">": value > literal, "<=": value <= literal, ">=": value >= literal}[op])
    except TypeError:
        return False
