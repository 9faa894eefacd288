"""Tables: what ``kubectl get`` prints is decided here, column by column, as upstream's printers decide it."""

from __future__ import annotations

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.apiserver.tables.cells import Column, TableOf
from kubelab.engine.apiserver.tables.columns import GENERIC, TABLES
from kubelab.engine.apiserver.tables.custom import custom_table

SCALE = TABLES["Scale"]


def definitions(table: TableOf) -> list[Object]:
    """The ``columnDefinitions`` of a table."""
    return [column.definition() for column in table.columns]


def row(table: TableOf, obj: Object, now: float, include: str) -> Object:
    """One row. ``include``: ``Metadata`` (default), ``Object`` or ``None``, what comes along with the cells."""
    made: Object = {"cells": table.cells(obj, now)}
    if include == "Object":
        made["object"] = obj
    elif include != "None":
        made["object"] = partial(obj)
    return made


def partial(obj: Object, group_version: str = "meta.k8s.io/v1") -> Object:
    """PartialObjectMetadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": group_version, "metadata": obj["metadata"]}


def table_of(rtype: ResourceType) -> TableOf:
    """The table of a resource's kind."""
    if rtype.custom:
        return custom_table(rtype.custom)
    return TABLES.get(rtype.kind, GENERIC)


__all__ = ["SCALE", "Column", "definitions", "partial", "row", "table_of"]
