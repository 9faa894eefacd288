"""What an expression of nftables reads from a packet."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from kubelab.rules.nft.printing import print_rule
from kubelab.trace.packet import WITH_PORTS

if TYPE_CHECKING:
    from kubelab.trace.journey import Journey

_ADDRESSED = {"ip", "ip6"}
_STATES = frozenset({"NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"})


class Unjudged(Exception):
    """An expression whose value the texts do not tell."""


def value_of(expression: Any, journey: Journey) -> Any:
    """The value; None when the packet has none (then the rule breaks off). Raises `Unjudged`.

    A connection's state and status are frozen sets of words, a concatenation is a tuple.
    """
    if not isinstance(expression, dict):
        return expression
    name, said = next(iter(expression.items()))
    if name == "concat":
        parts = tuple(value_of(each, journey) for each in said)
        return None if None in parts else parts
    if name in ("&", "|", "^"):
        left, right = (value_of(each, journey) for each in said)
        if not isinstance(left, int) or not isinstance(right, int):
            raise Unjudged("it computes with what is no number")
        return left & right if name == "&" else left | right if name == "|" else left ^ right
    if name == "payload":
        return _payload(said, journey)
    if name == "meta":
        return _meta(said["key"], journey)
    if name == "ct":
        return _connection(said, journey)
    if name == "fib":
        return _fib(said, journey)
    raise Unjudged(f"'{print_rule([{'match': {'op': '==', 'left': expression, 'right': '…'}}])}' is not in the texts")


def _payload(said: dict[str, Any], journey: Journey) -> Any:
    header, field = said.get("protocol", ""), said.get("field", "")
    if header in _ADDRESSED:
        if header != journey.family:
            return None
        known = {"saddr": journey.src, "daddr": journey.dst, "protocol": journey.proto, "nexthdr": journey.proto}
        if field in known:
            return known[field]
    if field in ("sport", "dport") and header in (*WITH_PORTS, "th"):
        if journey.proto not in WITH_PORTS or header not in (journey.proto, "th"):
            return None
        port = journey.sport if field == "sport" else journey.dport
        if not port:
            raise Unjudged(f"the {'source' if field == 'sport' else 'destination'} port is not known")
        return port
    if header in (*WITH_PORTS, "icmp", "icmpv6") and header != journey.proto:
        return None
    raise Unjudged(f"'{header} {field}' is not in the texts")


def _meta(key: str, journey: Journey) -> Any:
    known: dict[str, Any] = {
        "l4proto": journey.proto,
        "mark": journey.mark,
        "iifname": journey.in_interface,
        "iif": journey.in_interface,
        "oifname": journey.out_interface,
        "oif": journey.out_interface,
        "nfproto": "ipv6" if journey.family == "ip6" else "ipv4",
        "protocol": journey.family,
    }
    if key not in known:
        raise Unjudged(f"'meta {key}' is not in the texts")
    return known[key]


def _connection(said: dict[str, Any], journey: Journey) -> Any:
    key = said["key"]
    if key == "state":
        return frozenset(state.lower() for state in journey.states & _STATES)
    if key == "status":
        return frozenset(state.lower() for state in journey.states - _STATES)
    if key == "mark":
        return journey.connection_mark
    if key == "direction":
        return "reply" if journey.answering else "original"
    if said.get("dir") == "original" and key in ("saddr", "ip saddr", "daddr", "ip daddr", "proto-dst"):
        source, destination, port = journey.original
        return port if key == "proto-dst" else source if "saddr" in key else destination
    raise Unjudged(f"'ct {key}' is not in the texts")


def _fib(said: dict[str, Any], journey: Journey) -> str:
    sides = [flag for flag in said["flags"] if flag in ("saddr", "daddr")]
    if said["result"] != "type" or len(sides) != 1 or len(said["flags"]) != 1:
        raise Unjudged(f"'fib {' . '.join(said['flags'])} {said['result']}' is not part of this model")
    address = journey.src if sides == ["saddr"] else journey.dst
    if journey.is_local(address):
        return "local"
    if address == "255.255.255.255":
        return "broadcast"
    return "multicast" if ipaddress.ip_address(address).is_multicast else "unicast"
