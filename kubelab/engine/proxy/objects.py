"""Reading the objects that rules are compiled from, and saying what is wrong with them."""

from __future__ import annotations

import json
import re
from typing import Any

Object = dict[str, Any]

Shape = type | range | tuple[str, ...] | re.Pattern[str] | list[Any] | dict[str, Any]
"""What a value must be.

A type, a range of whole numbers, one of some strings, a string that a pattern matches, a list of one shape, or fields
by name: ``name!`` must be there, ``*`` stands for any name.
"""

_NAME, _NAME_OR_NONE = re.compile(r"[A-Za-z0-9._-]+"), re.compile(r"[A-Za-z0-9._-]*")
_PORT, _PORT_OR_NONE = range(1, 65536), range(65536)
_PROTOCOL = ("TCP", "UDP", "SCTP")
_METADATA: Shape = {"name!": _NAME, "namespace": _NAME, "labels": {"*": str}}
_NAMED: Shape = {"name!": str}

_SERVICE: Shape = {
    "metadata!": _METADATA,
    "spec": {
        "type": str,
        "clusterIP": str,
        "clusterIPs": [str],
        "ipFamilies": [str],
        "externalIPs": [str],
        "externalTrafficPolicy": str,
        "internalTrafficPolicy": str,
        "loadBalancerSourceRanges": [str],
        "healthCheckNodePort": _PORT_OR_NONE,
        "sessionAffinity": str,
        "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": int}},
        "ports": [{"port!": _PORT, "name": _NAME_OR_NONE, "protocol": _PROTOCOL, "nodePort": _PORT_OR_NONE}],
    },
    "status": {"loadBalancer": {"ingress": [{"ip": str, "ipMode": str}]}},
}

_ENDPOINT_SLICE: Shape = {
    "metadata!": _METADATA,
    "addressType": str,
    "ports": [{"name": _NAME_OR_NONE, "port": _PORT_OR_NONE, "protocol": _PROTOCOL}],
    "endpoints": [
        {
            "addresses": [str],
            "nodeName": str,
            "conditions": {"ready": bool, "serving": bool, "terminating": bool},
            "hints": {"forZones": [_NAMED], "forNodes": [_NAMED]},
        }
    ],
}

_NODE: Shape = {
    "metadata!": _METADATA,
    "spec": {"podCIDR": str, "podCIDRs": [str]},
    "status": {"addresses": [{"type!": str, "address!": str}]},
}

SHAPES: dict[str, Shape] = {
    "services": _SERVICE,
    "endpointslices": _ENDPOINT_SLICE,
    "nodes": _NODE,
    "servicecidrs": {"metadata": _METADATA, "spec": {"cidrs": [str]}},
}
"""The collections that rules depend on, and of their objects what is looked at."""

_TYPES: dict[type, str] = {str: "a string", int: "a whole number", bool: "true or false"}


class ObjectsError(ValueError):
    """The text is one sentence without its end, for people: where it is wrong, and what belongs there."""


def read_objects(text: str) -> dict[str, list[Object]]:
    """Lists of API objects by collection, from JSON. Raises `ObjectsError`.

    What `kubectl get -o json` prints, an object with the list under ``items``, counts as that list.
    """
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise ObjectsError(f"line {error.lineno}, column {error.colno} is not JSON: {error.msg}") from error
    except RecursionError as error:
        raise ObjectsError("its brackets are nested too deep to be objects of an API") from error
    except ValueError as error:
        raise ObjectsError("it holds a number too long to be one of an API") from error
    if isinstance(given, dict):
        given = {collection: _items(objects) for collection, objects in given.items()}
    check_objects(given)
    return given


def _items(objects: Any) -> Any:
    """A null is an empty list, as Go writes one."""
    if isinstance(objects, dict) and "items" in objects:
        objects = objects["items"]
    return [] if objects is None else objects


def check_objects(given: Any) -> None:
    """Whether these are lists of API objects by collection. Raises `ObjectsError`."""
    collections = ", ".join(SHAPES)
    if not isinstance(given, dict):
        raise ObjectsError(f"it holds {_what(given)}, not one object with the keys {collections}")
    unknown = [repr(key) for key in given if key not in SHAPES]
    if unknown:
        raise ObjectsError(f"it has an unknown key, {unknown[0]}; rules depend on {collections}")
    for collection, objects in given.items():
        _check(objects, [SHAPES[collection]], collection)
        _check_names(objects, collection)


def _check_names(objects: list[Object], collection: str) -> None:
    known: dict[tuple[str, str], int] = {}
    for number, metadata in enumerate(each.get("metadata") or {} for each in objects):
        if name := metadata.get("name"):
            first = known.setdefault((metadata.get("namespace") or "default", name), number)
            if first != number:
                raise ObjectsError(f"{collection}[{number}] has the name of {collection}[{first}], {name!r}")


def _check(value: Any, shape: Shape, where: str) -> None:
    """A null counts as absent, as in the API."""
    if isinstance(shape, type | range | tuple | re.Pattern):
        if not _is(value, shape):
            raise ObjectsError(f"{where} is {_what(value)}, not {_wanted(shape)}")
    elif isinstance(shape, list):
        if not isinstance(value, list):
            raise ObjectsError(f"{where} is {_what(value)}, not a list")
        for number, each in enumerate(value):
            _check(each, shape[0], f"{where}[{number}]")
    else:
        _check_fields(value, shape, where)


def _is(value: Any, shape: type | range | tuple[str, ...] | re.Pattern[str]) -> bool:
    match shape:
        case range() | tuple():
            return not isinstance(value, bool | float) and value in shape
        case re.Pattern():
            return isinstance(value, str) and shape.fullmatch(value) is not None
    return isinstance(value, shape) and not (shape is int and isinstance(value, bool))


def _wanted(shape: type | range | tuple[str, ...] | re.Pattern[str]) -> str:
    match shape:
        case range():
            return f"a whole number from {shape.start} to {shape.stop - 1}"
        case tuple():
            return " or ".join(shape)
        case re.Pattern():
            return "a name of letters, digits, dots and dashes"
    return _TYPES[shape]


def _check_fields(value: Any, fields: dict[str, Any], where: str) -> None:
    if not isinstance(value, dict):
        raise ObjectsError(f"{where} is {_what(value)}, not an object")
    for field, shape in fields.items():
        name = field.removesuffix("!")
        if value.get(name) is None and name != field:
            raise ObjectsError(f"{where} has no {name}")
        for each in value if field == "*" else (name,):
            if value.get(each) is not None:
                _check(value[each], shape, f"{where}.{each}")


def _what(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return f"the string {value!r}" if len(value) < 60 else "a string"
        case int() | float():
            return f"the number {value}"
        case list():
            return "a list"
    return "an object"
