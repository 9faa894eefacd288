"""How single values are written in a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.schema import definitions
from kubelab.engine.apiserver.times import parse_time

NONE = "<none>"
UNKNOWN = "<unknown>"
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 86400 * 365


class Column(NamedTuple):
    """A column. ``priority`` 1 is shown only with ``-o wide``."""

    name: str
    type: str = "string"
    priority: int = 0
    description: str = ""
    format: str = ""

    def definition(self) -> Object:
        """The entry of ``columnDefinitions``."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


_META = definitions()["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"]["properties"]
NAME = Column("Name", format="name", description=_META["name"]["description"])
AGE = Column("Age", description=_META["creationTimestamp"]["description"])


class TableOf(NamedTuple):
    """The table of a kind; ``cells`` takes the object and the time (seconds since the epoch)."""

    columns: tuple[Column, ...]
    cells: Callable[[Object, float], list[Any]]


def wide(name: str, description: str = "") -> Column:
    """A column for ``-o wide``."""
    return Column(name, priority=1, description=description)


def duration(seconds: float) -> str:
    """Two units at most: ``45s``, ``3m20s``, ``5h``, ``2d4h``."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    if whole < 10 * _MINUTE:
        return _two(whole, _MINUTE, "m", 1, "s")
    if whole < 3 * _HOUR:
        return f"{whole // _MINUTE}m"
    if whole < 8 * _HOUR:
        return _two(whole, _HOUR, "h", _MINUTE, "m")
    if whole < 2 * _DAY:
        return f"{whole // _HOUR}h"
    if whole < 8 * _DAY:
        return _two(whole, _DAY, "d", _HOUR, "h")
    if whole < 2 * _YEAR:
        return f"{whole // _DAY}d"
    if whole < 8 * _YEAR:
        return _two(whole, _YEAR, "y", _DAY, "d")
    return f"{whole // _YEAR}y"


def _two(seconds: int, big: int, big_name: str, small: int, small_name: str) -> str:
    rest = seconds % big // small
    return f"{seconds // big}{big_name}" + (f"{rest}{small_name}" if rest else "")


def since(timestamp: str | None, now: float) -> str:
    """How long ago, or ``<unknown>``."""
    return duration(now - parse_time(timestamp)) if timestamp else UNKNOWN


def age(obj: Object, now: float) -> str:
    """The object's age."""
    return since(obj["metadata"].get("creationTimestamp"), now)


def labels(value: dict[str, str] | None) -> str:
    """``a=1,b=2`` in order, or ``<none>``."""
    return ",".join(f"{key}={text}" for key, text in sorted((value or {}).items())) or NONE


def selector(value: dict[str, Any] | None) -> str:
    """A LabelSelector object in the form of a query."""
    if value is None:
        return NONE
    terms = [(key, f"{key}={text}") for key, text in (value.get("matchLabels") or {}).items()]
    for term in value.get("matchExpressions") or []:
        key, values = term["key"], ",".join(sorted(term.get("values") or []))
        words = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        terms.append((key, words.get(term["operator"], f"!{key}")))
    return ",".join(text for _, text in sorted(terms, key=lambda term: term[0])) or NONE


def truncated(items: list[str], most: int = 3) -> str:
    """``a,b,c + 2 more...``"""
    shown = ",".join(items[:most])
    return f"{shown} + {len(items) - most} more..." if len(items) > most else shown


def containers(template_spec: dict[str, Any]) -> list[str]:
    """Names and images of a pod spec's containers, each joined by commas."""
    all_of = template_spec.get("containers") or []
    return [",".join(one.get("name", "") for one in all_of), ",".join(one.get("image", "") for one in all_of)]
