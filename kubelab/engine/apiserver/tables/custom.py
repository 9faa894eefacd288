"""The tables of custom resources: the name, and what ``additionalPrinterColumns`` asks for."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from kubelab.engine.apiserver.custom.jsonpath import found
from kubelab.engine.apiserver.custom.version import CustomVersion
from kubelab.engine.apiserver.encoding import Object, dumps
from kubelab.engine.apiserver.tables import cells as c
from kubelab.engine.apiserver.tables.cells import NAME, Column, TableOf
from kubelab.engine.apiserver.times import parse_time

_AGE: Object = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


@lru_cache(maxsize=64)
def custom_table(version: CustomVersion) -> TableOf:
    """The table of one version; without columns of its own it shows the age."""
    asked = version.columns or ({**_AGE, "description": c.AGE.description},)
    columns = tuple(
        Column(one["name"], one["type"], one.get("priority", 0), _description(one), one.get("format", ""))
        for one in asked
    )

    def cells(obj: Object, now: float) -> list[Any]:
        return [obj["metadata"]["name"], *(_cell(obj, one, now) for one in asked)]

    return TableOf((NAME, *columns), cells)


def _description(column: Object) -> str:
    return column.get("description") or f"Custom resource definition column (in JSONPath format): {column['jsonPath']}"


def _cell(obj: Object, column: Object, now: float) -> Any:
    """One cell. A value that is not of the column's type is left out, as upstream leaves it out."""
    values = found(obj, column["jsonPath"])
    if not values:
        return None
    value = values[0]
    match column["type"]:
        case "integer":
            return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        case "number":
            return value if isinstance(value, int | float) and not isinstance(value, bool) else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case "date":
            return _age(value, now)
    return ",".join(_text(one) for one in values)


def _age(value: Any, now: float) -> str:
    try:
        return c.duration(now - parse_time(value)) if value else c.UNKNOWN
    except (ValueError, TypeError, AttributeError):
        return "<invalid>"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return dumps(value).decode()
