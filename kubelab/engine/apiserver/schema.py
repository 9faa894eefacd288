"""Kubernetes' published schemas, read once and cut down to the shapes that decoding and patching need."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

Kind = Literal["struct", "array", "map", "string", "integer", "number", "boolean", "bytes", "time", "quantity",
               "int-or-string", "any"]  # fmt: skip

_PACKAGE = "kubernetes_validate"
_PATH = "kubernetes-json-schema/v1.36.0-local/_definitions.json"
_PREFIX = "#/$defs/"

_SPECIAL: dict[str, Kind] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "int-or-string",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "time",
}

_JSON_SCHEMA = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
_NARROWED = {f"{_JSON_SCHEMA}OrArray": _JSON_SCHEMA, f"{_JSON_SCHEMA}OrBool": _JSON_SCHEMA}
"""Definitions that allow more than the API does: the items of a structural schema are of one kind."""


@cache
def definitions() -> dict[str, Any]:
    """Every definition of Kubernetes 1.36, by name, with descriptions and x-kubernetes extensions."""
    spec = find_spec(_PACKAGE)  # the package itself is not imported: it would bring jsonschema along
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"the package {_PACKAGE} is missing; install it with pip install kubernetes-validate")
    return json.loads(Path(spec.submodule_search_locations[0], _PATH).read_bytes())["$defs"]


class Struct:
    """An object with named fields. Fields are compiled when they are first asked for (some are recursive)."""

    def __init__(self, name: str, definition: dict[str, Any]) -> None:
        self.name = name
        self.go_name = name.rpartition(".")[2]
        self.open = bool(definition.get("x-kubernetes-preserve-unknown-fields"))
        """Whether it may have other members than those that are named."""
        self.required: tuple[str, ...] = tuple(definition.get("required", ()))
        self._definition = definition
        self._fields: dict[str, Shape] | None = None

    @property
    def fields(self) -> dict[str, Shape]:
        """Field name → shape."""
        if self._fields is None:
            required = self.required
            self._fields = {
                name: _shape(schema, required=name in required)
                for name, schema in self._definition.get("properties", {}).items()
            }
        return self._fields

    @property
    def go_type(self) -> str:
        """``v1.ServiceSpec``."""
        return ".".join(self.name.split(".")[-2:])


@dataclass(slots=True, frozen=True)
class Shape:
    """What a value must look like, and how patches merge it."""

    kind: Kind
    struct: Struct | None = None
    item: Shape | None = None
    format: str = ""
    required: bool = False
    merge_key: str = ""
    strategies: tuple[str, ...] = ()
    """Of a strategic merge patch: ``merge``, ``retainKeys``, ``replace``."""
    list_type: str = ""
    """For server-side apply: ``map``, ``set``, ``atomic`` or none."""
    list_keys: tuple[str, ...] = ()
    atomic: bool = False
    or_bool: bool = False
    """Whether true and false may stand for a struct."""
    default: Any = None

    @property
    def go_type(self) -> str:
        """The type as Go's decoder names it in an error."""
        match self.kind:
            case "struct":
                return self.struct.go_type if self.struct else "struct"
            case "array":
                return f"[]{self.item.go_type if self.item else 'string'}"
            case "map":
                return f"map[string]{self.item.go_type if self.item else 'string'}"
            case "integer":
                return self.format or "int64"
            case "boolean":
                return "bool"
            case "number":
                return "float64"
            case "quantity":
                return "resource.Quantity"
            case "time":
                return "v1.Time"
            case "bytes":
                return "[]uint8"
            case "int-or-string":
                return "intstr.IntOrString"
        return "string"


OPEN = Shape("map")
"""An object of which nothing is known: its members are as open as itself."""
object.__setattr__(OPEN, "item", OPEN)


@cache
def struct(name: str) -> Struct:
    """The compiled definition of that name."""
    return Struct(name, definitions()[name])


def _type(schema: dict[str, Any]) -> str:
    declared = schema.get("type", "")
    if isinstance(declared, list):
        return next((name for name in declared if name != "null"), "")
    return declared


def _shape(schema: dict[str, Any], *, required: bool = False) -> Shape:
    marks = {
        "required": required,
        "merge_key": schema.get("x-kubernetes-patch-merge-key", ""),
        "strategies": tuple(schema.get("x-kubernetes-patch-strategy", "").split(",")),
        "list_type": schema.get("x-kubernetes-list-type", ""),
        "list_keys": tuple(schema.get("x-kubernetes-list-map-keys", ())),
        "atomic": schema.get("x-kubernetes-map-type") == "atomic",
        "default": schema.get("default"),
    }
    reference = schema.get("$ref")
    if reference:
        return _referred(reference.removeprefix(_PREFIX), marks)
    declared = _type(schema)
    if declared == "array":
        return Shape("array", item=_shape(schema["items"]), **marks)
    if declared == "object":
        if "properties" in schema:
            return Shape("struct", struct=Struct("", schema), **marks)
        if isinstance(schema.get("additionalProperties"), dict):
            return Shape("map", item=_shape(schema["additionalProperties"]), **marks)
        if schema.get("x-kubernetes-preserve-unknown-fields"):
            return OPEN
        return Shape("any", **marks)
    if declared == "string":
        return Shape("bytes" if schema.get("format") == "byte" else "string", **marks)
    if declared in ("integer", "number", "boolean"):
        return Shape(declared, format=schema.get("format", ""), **marks)  # type: ignore[arg-type]
    return Shape("any", **marks)


def _referred(name: str, marks: dict[str, Any]) -> Shape:
    if name in _NARROWED:
        marks["or_bool"] = name.endswith("OrBool")
        name = _NARROWED[name]
    if name in _SPECIAL:
        return Shape(_SPECIAL[name], **marks)
    definition = definitions()[name]
    if "properties" in definition:
        atomic = marks.pop("atomic") or definition.get("x-kubernetes-map-type") == "atomic"
        return Shape("struct", struct=struct(name), atomic=atomic, **marks)
    if _type(definition) == "object":
        return Shape("any", **marks)
    return _shape(definition)


def root(name: str) -> Shape:
    """The shape of a whole object."""
    return Shape("struct", struct=struct(name))
