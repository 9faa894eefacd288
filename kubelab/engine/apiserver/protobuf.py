"""Bodies in Kubernetes' protobuf form, which kubectl's typed commands (``kubectl create deployment``) send.

Only reading is needed: every client that sends protobuf also takes JSON for an answer. The schemas say what the
fields are; ``protobuf-fields.txt`` says their numbers in the messages of ``generated.proto`` (``2=>Message``: the
fields of that message are the object's own in JSON). Numbers there never change; later fields are left out here
and ignored, as a kube-apiserver of that release would.
Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
"""

from __future__ import annotations

import base64
import json
import struct as packing
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from kubelab.engine.apiserver.schema import Shape, Struct, root
from kubelab.engine.apiserver.status import bad_request

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DEEPEST = 100

_KEPT_WHEN_ZERO = frozenset(
    {
        "replicas", "terminationGracePeriodSeconds", "gracePeriodSeconds", "revisionHistoryLimit", "backoffLimit",
        "completions", "parallelism", "ttlSecondsAfterFinished", "tolerationSeconds", "runAsUser", "runAsGroup",
        "fsGroup", "automountServiceAccountToken", "enableServiceLinks", "allocateLoadBalancerNodePorts", "ready",
        "serving", "terminating", "allowPrivilegeEscalation", "runAsNonRoot", "readOnlyRootFilesystem", "privileged",
        "suspend", "immutable", "optional", "controller", "blockOwnerDeletion", "intVal",
    }
)  # fmt: skip
"""Optional in Go, so that zero and false were said on purpose. All other zeros are only there because protobuf
writes every plain field."""


class BadProtobuf(ValueError):
    """The bytes are not the message that they should be."""


@cache
def field_numbers() -> dict[str, dict[int, str]]:
    """Message → number → field, or ``>Message`` for the fields of an embedded one."""
    table: dict[str, dict[int, str]] = {}
    for line in Path(__file__).with_name("protobuf-fields.txt").read_text().splitlines():
        message, *fields = line.split()
        split = (field.partition("=" if "=" in field else ":") for field in fields)
        table[message] = {int(number): name for number, _, name in split}
    return table


def decode(body: bytes, schema: str) -> dict[str, Any]:
    """The object in a body, as JSON has it. Raises a 400 Status."""
    try:
        if not body.startswith(_MAGIC):
            raise BadProtobuf("provided data does not appear to be a protobuf message, expected prefix k8s")
        envelope = dict(_fields(body[len(_MAGIC) :]))
        said = dict(_fields(_bytes(envelope.get(1, b""))))
        value = _message(root(schema), _bytes(envelope.get(2, b"")), 0)
        api_version, kind = _text(said.get(1, b"")), _text(said.get(2, b""))
    except (BadProtobuf, packing.error) as error:
        raise bad_request(f"couldn't read the protobuf body: {error}") from None
    if not isinstance(value, dict):
        raise bad_request("couldn't read the protobuf body: it holds no object")
    return {"apiVersion": api_version, "kind": kind, **value}


# -- the wire ------------------------------------------------------------------------------------


def _varint(data: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & (2**64 - 1), at
        shift += 7
    raise BadProtobuf("unexpected EOF")


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise BadProtobuf(f"illegal wire type {wire}")
        if at + size > len(data):
            raise BadProtobuf("unexpected EOF")
        yield number, data[at : at + size]
        at += size


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise BadProtobuf("wrong wire type: a number where a message should be")
    return value


def _text(value: int | bytes) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError:
        raise BadProtobuf("a string is not valid UTF-8") from None


def _signed(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise BadProtobuf("wrong wire type: bytes where a number should be")
    return value - 2**64 if value >= 2**63 else value


# -- values --------------------------------------------------------------------------------------


def _message(shape: Shape, data: bytes, depth: int) -> dict[str, Any]:
    assert shape.struct is not None
    result: dict[str, Any] = {}
    _read_into(result, shape.struct, shape.struct.name, data, depth)
    return result


def _read_into(result: dict[str, Any], struct: Struct, message: str, data: bytes, depth: int) -> None:
    if depth > _DEEPEST:
        raise BadProtobuf("the message nests too deeply")
    numbers = field_numbers().get(message, {})
    for number, value in _fields(data):
        name = numbers.get(number, "")
        if name.startswith(">"):
            _read_into(result, struct, name[1:], _bytes(value), depth + 1)
        elif (shape := struct.fields.get(name)) is not None:
            _add(result, name, shape, value, depth + 1)


def _add(result: dict[str, Any], name: str, shape: Shape, value: int | bytes, depth: int) -> None:
    if shape.kind == "array":
        assert shape.item is not None
        result.setdefault(name, []).extend(_items(shape.item, value, depth))
    elif shape.kind == "map":
        assert shape.item is not None
        entry = dict(_fields(_bytes(value)))
        held = entry.get(2, b"")
        result.setdefault(name, {})[_text(entry.get(1, b""))] = _map_value(shape.item, held, depth)
    else:
        made = _scalar(shape, value, depth)
        if made is not None and (made or name in _KEPT_WHEN_ZERO or shape.kind in ("struct", "any", "int-or-string")):
            result[name] = made


def _items(item: Shape, value: int | bytes, depth: int) -> Iterator[Any]:
    if item.kind == "integer" and isinstance(value, bytes):  # packed
        at = 0
        while at < len(value):
            number, at = _varint(value, at)
            yield _signed(number)
        return
    yield _scalar(item, value, depth)


def _map_value(item: Shape, value: int | bytes, depth: int) -> Any:
    if item.kind == "array":  # a list in a map is wrapped in a message of its own
        assert item.item is not None
        return [one for _, wrapped in _fields(_bytes(value)) for one in _items(item.item, wrapped, depth)]
    return _scalar(item, value, depth)


def _scalar(shape: Shape, value: int | bytes, depth: int) -> Any:
    match shape.kind:
        case "struct":
            return _message(shape, _bytes(value), depth)
        case "string":
            return _text(value)
        case "bytes":
            return base64.b64encode(_bytes(value)).decode()
        case "integer":
            return _signed(value)
        case "boolean":
            return bool(_signed(value))
        case "number":
            return packing.unpack("<d", _bytes(value))[0]
        case "quantity":
            return _text(dict(_fields(_bytes(value))).get(1, b"")) or None
        case "time":
            return _time(dict(_fields(_bytes(value))))
        case "int-or-string":
            held = dict(_fields(_bytes(value)))
            return _text(held.get(3, b"")) if held.get(1) else _signed(held.get(2, 0))
        case "any":
            return _raw_json(dict(_fields(_bytes(value))).get(1, b""))
    return None


def _time(parts: dict[int, int | bytes]) -> str | None:
    if not parts:
        return None
    seconds, nanos = _signed(parts.get(1, 0)), _signed(parts.get(2, 0))
    if seconds < 0 and not nanos and seconds < -62_000_000_000:
        return None
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise BadProtobuf("a time is out of range") from None
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{nanos // 1000:06d}Z" if nanos else f"{text}Z"


def _raw_json(raw: int | bytes) -> Any:
    try:
        return json.loads(_bytes(raw)) if raw else None
    except ValueError:
        raise BadProtobuf("an embedded value is not JSON") from None
