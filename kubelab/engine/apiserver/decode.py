"""A body becomes an object: types checked, unknown fields found, nulls and empty collections dropped.

Errors are worded as Go's JSON decoder and Kubernetes' strict decoder word them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from kubelab.engine.apiserver.schema import Shape, Struct, root
from kubelab.engine.quantity import BadQuantity, canonical

# A path is a linked list from a field up to the root, ``(parent path or (), name or index)``: it costs next to
# nothing while all is well, and is turned into text only for an error.
_TIME = re.compile(r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$")


class DecodeError(ValueError):
    """The value cannot be read as its type."""


def _names(path: Any) -> list[Any]:
    names = []
    while path:
        path, name = path
        names.append(name)
    return names[::-1]


def field_path(path: Any) -> str:
    """``spec.ports[0].port``."""
    text = ""
    for name in _names(path):
        text += f"[{name}]" if isinstance(name, int) else f".{name}" if text else str(name)
    return text


def json_type(value: Any) -> str:
    """What Go's decoder calls a value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, int | float):
        return "number"
    return "array" if isinstance(value, list) else "object"


class Decoder:
    """Walks one body. ``unknown`` holds the paths of fields that no type has."""

    def __init__(self) -> None:
        self.unknown: list[str] = []

    def object(self, schema: str, value: Any) -> dict[str, Any]:
        """The value as the definition of that name. Raises `DecodeError`."""
        return self._walk(root(schema), value, (), None)

    def shape(self, shape: Shape, value: Any) -> Any:
        """The value as that shape. Raises `DecodeError`."""
        return self._walk(shape, value, (), None)

    def _walk(self, shape: Shape, value: Any, path: Any, owner: Struct | None) -> Any:
        return _WALKERS[shape.kind](self, shape, value, path, owner)

    def _struct(self, shape: Shape, value: Any, path: Any, owner: Struct | None) -> Any:
        struct = shape.struct
        assert struct is not None
        if type(value) is not dict:
            if shape.or_bool and type(value) is bool:
                return value
            raise _mismatch(shape, value, path, owner)
        fields = struct.fields
        result: dict[str, Any] = {}
        for name, item in value.items():
            field = fields.get(name)
            if field is None:
                self.unknown.append(field_path((path, name)))
            elif item is not None:
                item = _WALKERS[field.kind](self, field, item, (path, name), struct)
                if item or field.required or field.kind not in ("array", "map"):
                    result[name] = item
        return result

    def _array(self, shape: Shape, value: Any, path: Any, owner: Struct | None) -> Any:
        if type(value) is not list:
            raise _mismatch(shape, value, path, owner)
        item = shape.item
        assert item is not None
        walk = _WALKERS[item.kind]
        return [
            walk(self, item, {} if entry is None and item.kind == "struct" else entry, (path, index), owner)
            for index, entry in enumerate(value)
        ]

    def _map(self, shape: Shape, value: Any, path: Any, owner: Struct | None) -> Any:
        if type(value) is not dict:
            raise _mismatch(shape, value, path, owner)
        item = shape.item
        assert item is not None
        if item.kind == "string":
            for entry in value.values():
                if type(entry) is not str and entry is not None:
                    raise _mismatch(item, entry, path, owner)
            return {key: entry or "" for key, entry in value.items()}
        walk = _WALKERS[item.kind]
        return {key: walk(self, item, entry, (path, key), owner) for key, entry in value.items() if entry is not None}

    def _string(self, shape: Shape, value: Any, path: Any, owner: Struct | None) -> Any:
        if type(value) is not str:
            raise _mismatch(shape, value, path, owner)
        return value

    def _integer(self, shape: Shape, value: Any, path: Any, owner: Struct | None) -> Any:
        bound = 2**31 if shape.format == "int32" else 2**63
        if type(value) is not int or not -bound <= value < bound:
            raise _mismatch(shape, value, path, owner)
        return value

    def _number(self, shape: Shape, value: Any, path: Any, owner: Struct | None) -> Any:
        if type(value) not in (int, float):
            raise _mismatch(shape, value, path, owner)
        return value

    def _boolean(self, shape: Shape, value: Any, path: Any, owner: Struct | None) -> Any:
        if type(value) is not bool:
            raise _mismatch(shape, value, path, owner)
        return value

    def _bytes(self, shape: Shape, value: Any, path: Any, owner: Struct | None) -> Any:
        if type(value) is not str:
            raise _mismatch(shape, value, path, owner)
        try:
            base64.b64decode(value.replace("\n", ""), validate=True)
        except (binascii.Error, ValueError):
            raise DecodeError(f"illegal base64 data at input byte {_first_bad_byte(value)}") from None
        return value.replace("\n", "")

    def _time(self, shape: Shape, value: Any, path: Any, owner: Struct | None) -> Any:
        if type(value) is not str:
            raise _mismatch(shape, value, path, owner)
        if not _TIME.match(value):
            layout = "2006-01-02T15:04:05Z07:00"
            raise DecodeError(f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"')
        return value

    def _quantity(self, shape: Shape, value: Any, path: Any, owner: Struct | None) -> Any:
        if type(value) not in (str, int, float):
            raise DecodeError(
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            )
        try:
            return canonical(value if isinstance(value, str) else repr(value))
        except BadQuantity as bad:
            raise DecodeError(str(bad)) from None

    def _int_or_string(self, shape: Shape, value: Any, path: Any, owner: Struct | None) -> Any:
        if type(value) is str:
            return value
        if type(value) is not int or not -(2**31) <= value < 2**31:
            raise _mismatch(Shape("integer", format="int32"), value, path, owner)
        return value

    def _any(self, shape: Shape, value: Any, path: Any, owner: Struct | None) -> Any:
        return value


_Walker = Callable[[Decoder, Shape, Any, Any, Struct | None], Any]
_WALKERS: dict[str, _Walker] = {
    "struct": Decoder._struct,
    "array": Decoder._array,
    "map": Decoder._map,
    "string": Decoder._string,
    "integer": Decoder._integer,
    "number": Decoder._number,
    "boolean": Decoder._boolean,
    "bytes": Decoder._bytes,
    "time": Decoder._time,
    "quantity": Decoder._quantity,
    "int-or-string": Decoder._int_or_string,
    "any": Decoder._any,
}


def _first_bad_byte(text: str) -> int:
    match = re.search(r"[^A-Za-z0-9+/]", text.rstrip("="))
    return match.start() if match else len(text) - len(text) % 4


def _mismatch(shape: Shape, value: Any, path: Any, owner: Struct | None) -> DecodeError:
    what = json_type(value)
    if what == "number" and shape.kind in ("integer",):
        what = f"number {value}"
    dotted = ".".join(str(name) for name in _names(path) if not isinstance(name, int))
    where = f"Go struct field {owner.go_name}.{dotted}" if owner else "Go value"
    return DecodeError(f"json: cannot unmarshal {what} into {where} of type {shape.go_type}")


def missing(shape: Shape, value: Any, path: Any = ()) -> list[str]:
    """Paths of the fields that the schema requires and that are not there. ``status`` is not looked at."""
    found: list[str] = []
    if shape.kind == "struct" and isinstance(value, dict):
        assert shape.struct is not None
        found += [field_path((path, name)) for name in shape.struct.required if name not in value]
        fields = shape.struct.fields
        for name, item in value.items():
            if isinstance(item, dict | list) and name in fields and not (path == () and name == "status"):
                found += missing(fields[name], item, (path, name))
    elif shape.kind == "array" and shape.item and isinstance(value, list):
        if shape.item.kind == "struct":
            for index, item in enumerate(value):
                found += missing(shape.item, item, (path, index))
    elif shape.kind == "map" and shape.item and shape.item.kind == "struct":
        for key, item in value.items():
            found += missing(shape.item, item, (path, key))
    return found
