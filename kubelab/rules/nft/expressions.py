"""What an expression of nftables reads from a packet, compiled into a function of the packet and the rule's table.

None is no value: the rule breaks off (nft(8)). A connection's state and status are sets of words, a concatenation is
a tuple.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable
from typing import Any

from kubelab.rules.judge import CannotJudge, Passing
from kubelab.rules.nft.hashing import share
from kubelab.rules.nft.model import Container, Table, element_of
from kubelab.rules.nft.printing import print_rule
from kubelab.rules.nft.sets import fits, freeze

Value = Callable[[Passing, Table], Any]

WITH_PORTS = ("tcp", "udp", "sctp")
_STATES = frozenset({"NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"})
_FIELDS = {"saddr": "src", "daddr": "dst", "protocol": "proto"}
_META = {
    "l4proto": "proto",
    "mark": "mark",
    "iifname": "in_interface",
    "iif": "in_interface",
    "oifname": "out_interface",
    "oif": "out_interface",
}


def value(expression: Any) -> Value:
    """The function of an expression. One that is not known raises `CannotJudge` when it is asked."""
    if not isinstance(expression, dict):
        return lambda packet, table: expression
    name, said = next(iter(expression.items()))
    compiler = _EXPRESSIONS.get(name)
    found = compiler(name, said) if compiler else None
    return found or _unknown(expression)


def _unknown(expression: Any) -> Value:
    text = print_rule([{"match": {"op": "==", "left": expression, "right": "…"}}]).removesuffix(" …")

    def ask(packet: Passing, table: Table) -> Any:
        raise CannotJudge(f"'{text}' is not part of this model")

    return ask


def _attribute(name: str) -> Value:
    return lambda packet, table: getattr(packet, name)


def _payload(_: str, said: dict[str, Any]) -> Value | None:
    header, field = said.get("protocol", ""), said.get("field", "")
    if header == "ip" and field in _FIELDS:
        return _attribute(_FIELDS[field])
    if header == "ip6":
        return lambda packet, table: None
    if field not in ("sport", "dport") or header not in (*WITH_PORTS, "th"):
        return None
    protocols = WITH_PORTS if header == "th" else (header,)
    return lambda packet, table: getattr(packet, field) if packet.proto in protocols else None


def _meta(_: str, said: dict[str, Any]) -> Value | None:
    key = said["key"]
    if key in _META:
        return _attribute(_META[key])
    fixed = {"nfproto": "ipv4", "protocol": "ip"}.get(key)
    return (lambda packet, table: fixed) if fixed else None


def _connection(_: str, said: dict[str, Any]) -> Value | None:
    key, side = said["key"], said.get("dir", "original")
    if key == "state":
        return lambda packet, table: {state.lower() for state in packet.states & _STATES}
    if key == "status":
        return lambda packet, table: {state.lower() for state in packet.states - _STATES}
    if key == "direction":
        return lambda packet, table: "original"
    at = {"ip saddr": 0, "saddr": 0, "ip daddr": 1, "daddr": 1, "proto-dst": 2}.get(key)
    return (lambda packet, table: packet.original[at]) if at is not None and side == "original" else None


def _fib(_: str, said: dict[str, Any]) -> Value | None:
    if said["result"] != "type" or said["flags"] not in (["saddr"], ["daddr"]):
        return None
    side = "src" if said["flags"] == ["saddr"] else "dst"

    def ask(packet: Passing, table: Table) -> str:
        address = getattr(packet, side)
        if packet.is_local(address):
            return "local"
        if address == "255.255.255.255":
            return "broadcast"
        return "multicast" if ipaddress.ip_address(address).is_multicast else "unicast"

    return ask


def _concat(_: str, said: list[Any]) -> Value:
    parts = [value(each) for each in said]

    def ask(packet: Passing, table: Table) -> Any:
        found = tuple(part(packet, table) for part in parts)
        return None if None in found else found

    return ask


def _computed(sign: str, said: list[Any]) -> Value:
    left, right = (value(each) for each in said)
    compute: Callable[[int, int], int] = {"&": int.__and__, "|": int.__or__, "^": int.__xor__}[sign]
    return lambda packet, table: compute(left(packet, table), right(packet, table))


def _numgen(_: str, said: dict[str, Any]) -> Value:
    size, offset = said["mod"], said.get("offset", 0)
    if said["mode"] == "random":
        return lambda packet, table: offset + min(size - 1, int(packet.draw() * size))
    drawn = -1

    def count(packet: Passing, table: Table) -> int:
        nonlocal drawn
        drawn = (drawn + 1) % size
        return int(offset + drawn)

    return count


def _jhash(_: str, said: dict[str, Any]) -> Value:
    key, size, offset = value(said["expr"]), said["mod"], said.get("offset", 0)
    seed = said.get("seed") or random.getrandbits(32)  # without one the kernel draws its own

    def ask(packet: Passing, table: Table) -> int | None:
        found = key(packet, table)
        return None if found is None else offset + share(found, seed, size)

    return ask


def _map(_: str, said: dict[str, Any]) -> Value:
    key, find = value(said["key"]), lookup(said["data"])

    def ask(packet: Passing, table: Table) -> Any:
        found = key(packet, table)
        datum = None if found is None else find(found, table)
        return None if datum is None else freeze(datum)

    return ask


_EXPRESSIONS: dict[str, Callable[[str, Any], Value | None]] = {
    "payload": _payload,
    "meta": _meta,
    "ct": _connection,
    "fib": _fib,
    "concat": _concat,
    "&": _computed,
    "|": _computed,
    "^": _computed,
    "numgen": _numgen,
    "jhash": _jhash,
    "map": _map,
}


def lookup(data: Any) -> Callable[[Any, Table], Any]:
    """What a key maps to, in a named map (``@name``) or one in braces; None when it is not in it."""
    if isinstance(data, str):
        name = data.removeprefix("@")

        def find(key: Any, table: Table) -> Any:
            found = table.containers[name].get(key)
            return None if found is None else found.data

        return find
    own = Container("", 0, (), ("",))
    for each in data["set"]:
        own.add(element_of(each))

    def find_own(key: Any, table: Table) -> Any:
        found = own.get(key)
        return None if found is None else found.data

    return find_own


def comparison(said: dict[str, Any]) -> Callable[[Passing, Table], bool]:
    """Whether a match holds."""
    left, right, negated = value(said["left"]), said["right"], said["op"] == "!="
    if said["op"] in ("<", ">", "<=", ">="):
        return _ordered(left, said["op"], right)
    if isinstance(said["left"], dict) and said["left"].get("ct", {}).get("key") in ("state", "status"):
        named = right["set"] if isinstance(right, dict) else right if isinstance(right, list) else [right]
        wanted = frozenset(named)
        return lambda packet, table: left(packet, table).isdisjoint(wanted) is negated
    holds = _membership(right)

    def ask(packet: Passing, table: Table) -> bool:
        found = left(packet, table)
        return found is not None and holds(found, table) is not negated

    return ask


def _membership(right: Any) -> Callable[[Any, Table], bool]:
    if isinstance(right, str) and right.startswith("@"):
        name = right[1:]
        return lambda found, table: table.containers[name].get(found) is not None
    if isinstance(right, dict | list) or (isinstance(right, str) and right.endswith("*")):
        return lambda found, table: fits(found, right)
    return lambda found, table: bool(found == right)


def _ordered(left: Value, sign: str, right: Any) -> Callable[[Passing, Table], bool]:
    if not isinstance(right, int):
        raise CannotJudge(f"it compares with '{sign}'")
    compare = {"<": int.__lt__, ">": int.__gt__, "<=": int.__le__, ">=": int.__ge__}[sign]

    def ask(packet: Passing, table: Table) -> bool:
        found = left(packet, table)
        return found is not None and compare(found, right)

    return ask
