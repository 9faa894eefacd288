"""Objects to bytes and back. An object is encoded once, when it is written; every read sends those bytes."""

from __future__ import annotations

import json
from typing import Any

Object = dict[str, Any]

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


def dumps_sorted(value: Any) -> str:
    """JSON as Go writes a map, for messages."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal in JSON, where 1, 1.0 and true are three values."""
    return one == other and dumps_sorted(one) == dumps_sorted(other)


def dumps(value: Any) -> bytes:
    """Compact JSON."""
    return _encode(value).encode("utf-8", "surrogatepass")


def type_prefix(kind: str, api_version: str) -> bytes:
    """How the bytes of every object of a kind begin, up to the first member after its type."""
    return b'{"kind":"%s","apiVersion":"%s",' % (kind.encode(), api_version.encode())


def encode_object(obj: Object, kind: str, api_version: str) -> bytes:
    """The object with its type first, so that `type_prefix` can be cut off for lists."""
    rest = {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}
    return type_prefix(kind, api_version) + dumps(rest)[1:]


def copy(value: Any) -> Any:
    """A deep copy of plain JSON data."""
    if isinstance(value, dict):
        return {key: copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copy(item) for item in value]
    return value
