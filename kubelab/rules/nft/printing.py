"""What is in the shape of ``nft -j``, in the words of ``nft list``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kubelab.rules.nft.durations import print_duration

_QUOTED = ("iifname", "oifname")


def print_rule(expressions: list[Any], comment: str = "") -> str:
    """The rule's text, without its chain."""
    words = [_statement(each) for each in expressions]
    if comment:
        words.append(f'comment "{comment}"')
    return " ".join(words)


def _statement(statement: dict[str, Any]) -> str:
    name, said = next(iter(statement.items()))
    if name == "match":
        computed = isinstance(said["left"], dict) and not said["left"].keys().isdisjoint("&|^")
        operator = "" if said["op"] == "in" or (said["op"] == "==" and not computed) else f" {said['op']}"
        return f"{_value(said['left'])}{operator} {_right(said['left'], said['right'])}"
    if name == "vmap":
        return f"{_value(said['key'])} vmap {_value(said['data'])}"
    if name == "mangle":
        return f"{_value(said['key'])} set {_value(said['value'])}"
    if name in ("jump", "goto"):
        return f"{name} {said['target']}"
    if name == "set":
        return f"{said['op']} {said['set']} {{ {_value(said['elem'])} }}"
    if name == "map" and "op" in said:
        return f"{said['op']} {said['map']} {{ {_value(said['elem'])} : {_value(said['data'])} }}"
    if name == "reject":
        plain = said is None or said.get("expr") == "port-unreachable"
        return "reject" if plain else f"reject with {said['type']} {said.get('expr', '')}".rstrip()
    if name in ("dnat", "snat", "masquerade", "redirect"):
        return _nat(name, said or {})
    if name == "counter" and said:
        return f"counter packets {said['packets']} bytes {said['bytes']}"
    if name == "log":
        return " ".join(["log", *(f'{key} "{value}"' if key == "prefix" else f"{key} {value}"
                                  for key, value in (said or {}).items())])  # fmt: skip
    if name == "unknown":
        return str(said)
    return name if said is None else f"{name} {json.dumps(said)}"


def _nat(name: str, said: dict[str, Any]) -> str:
    words = [name]
    address, port = said.get("addr"), said.get("port")
    by_map = isinstance(address, dict) and "map" in address
    if by_map and "family" in said:
        words.append(said["family"])
    if address is not None or port is not None:
        shown = "" if address is None else _value(address)
        if port is not None:
            shown = f"[{shown}]:{_value(port)}" if ":" in shown and not by_map else f"{shown}:{_value(port)}"
        words += ["to", shown]
    flags = said.get("flags", ())
    return " ".join([*words, *([flags] if isinstance(flags, str) else flags)])


def _right(left: Any, right: Any) -> str:
    key = left.get("meta", {}).get("key", "") if isinstance(left, dict) else ""
    if key == "mark" or (isinstance(left, dict) and "&" in left):
        return f"0x{right:08x}" if isinstance(right, int) else _value(right)
    if key in _QUOTED and isinstance(right, str):
        return f'"{right}"'
    return _value(right)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(_value(each) for each in value)
    if not isinstance(value, dict):
        return str(value)
    name, said = next(iter(value.items()))
    match name:
        case "payload":
            return f"{said['protocol']} {said['field']}" if "field" in said else json.dumps(said)
        case "meta":
            return said["key"] if said["key"] in _QUOTED else f"meta {said['key']}"
        case "ct":
            return " ".join(["ct", *(said[word] for word in ("dir", "family") if word in said), said["key"]])
        case "fib":
            return f"fib {' . '.join(said['flags'])} {said['result']}"
        case "numgen":
            return f"numgen {said['mode']} mod {_modulus(said)}"
        case "jhash":
            return f"jhash {_value(said['expr'])} mod {_modulus(said)}"
        case "concat":
            return " . ".join(_value(each) for each in said)
        case "map":
            return f"{_value(said['key'])} map {_value(said['data'])}"
        case "prefix":
            return f"{said['addr']}/{said['len']}"
        case "range":
            return f"{_value(said[0])}-{_value(said[1])}"
        case "set":
            return f"{{ {', '.join(print_element(each) for each in said)} }}"
        case "&" | "|" | "^":
            mask = f"0x{said[1]:08x}" if isinstance(said[1], int) else _value(said[1])
            return f"{_value(said[0])} {name} {mask}"
        case "elem":
            return " ".join([_value(said["val"]), *_attributes(said)])
        case "jump" | "goto":
            return f"{name} {said['target']}"
        case "accept" | "drop" | "return" | "continue":
            return str(name)
    return json.dumps(value)


def _modulus(said: dict[str, Any]) -> str:
    seed = f" seed 0x{said['seed']:x}" if "seed" in said else ""
    offset = f" offset {said['offset']}" if said.get("offset") else ""
    return f"{said['mod']}{seed}{offset}"


def _attributes(said: dict[str, Any]) -> Iterator[str]:
    if "counter" in said:
        yield f"counter packets {said['counter'].get('packets', 0)} bytes {said['counter'].get('bytes', 0)}"
    for word in ("timeout", "expires"):
        if word in said:
            yield f"{word} {print_duration(said[word])}"
    if "comment" in said:
        yield f'comment "{said["comment"]}"'


def print_element(element: Any) -> str:
    """A set's element, or a map's as a list of two."""
    if isinstance(element, list) and len(element) == 2:
        return f"{_value(element[0])} : {_value(element[1])}"
    return _value(element)
