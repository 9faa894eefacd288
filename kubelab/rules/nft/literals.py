"""Values as the kernel gives them back: sets in braces sorted and merged, a set of one is the value itself."""

from __future__ import annotations

import ipaddress
from typing import Any

_STATES = ("invalid", "established", "related", "new", "untracked")
"""A connection's states in the order of the kernel's bits."""


def canonical_rule(expressions: list[Any]) -> list[Any]:
    """A rule's statements: ``meta l4proto tcp th dport 80`` is ``tcp dport 80``."""
    found: list[Any] = []
    for said in map(canonical, expressions):
        before = found[-1]["match"] if found and "match" in found[-1] else None
        left = said["match"]["left"] if "match" in said else None
        header = left["payload"] if isinstance(left, dict) and "payload" in left else {}
        if before is not None and header.get("protocol") == "th" and _is_protocol(before):
            header["protocol"] = before["right"]
            found.pop()
        found.append(said)
    return found


def _is_protocol(match: dict[str, Any]) -> bool:
    asked = match["left"] == {"meta": {"key": "l4proto"}} and match["op"] == "=="
    return asked and isinstance(match["right"], str) and not match["right"].startswith("@")


def canonical(said: Any) -> Any:
    """A statement, an expression or an element as ``nft -j list`` would show it."""
    if isinstance(said, list):
        return [canonical(each) for each in said]
    if not isinstance(said, dict):
        return said
    if "match" in said:
        match = {key: canonical(value) for key, value in said["match"].items()}
        given = said["match"]["right"]
        if isinstance(given, dict) and len(given.get("set", ())) == 1:
            match["right"] = given["set"][0]
        if "ct" in match["left"] and isinstance(match["right"], list):
            match["right"] = sorted(match["right"], key=_STATES.index) if set(match["right"]) <= set(_STATES) else given
        return {"match": match}
    if "set" in said and isinstance(said["set"], list):
        return {"set": _sorted(_merged([canonical(each) for each in said["set"]]))}
    return {key: canonical(value) for key, value in said.items()}


def _merged(elements: list[Any]) -> list[Any]:
    """Networks that lie side by side become one, as in a set with intervals."""
    if not any(isinstance(each, dict) and "prefix" in each for each in elements):
        return elements
    try:
        networks = [ipaddress.ip_network(_network(each)) for each in elements]
    except (ValueError, TypeError):
        return elements
    merged = ipaddress.collapse_addresses(each for each in networks if isinstance(each, ipaddress.IPv4Network))
    others = ipaddress.collapse_addresses(each for each in networks if isinstance(each, ipaddress.IPv6Network))
    return [_literal(each) for each in (*merged, *others)]


def _network(element: Any) -> str:
    if isinstance(element, dict):
        said = element.get("prefix", {})
        return f"{said.get('addr')}/{said.get('len')}"
    return str(element)


def _literal(network: Any) -> Any:
    if network.prefixlen == network.max_prefixlen:
        return str(network.network_address)
    return {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}


def _sorted(elements: list[Any]) -> list[Any]:
    try:
        return sorted(elements, key=lambda each: rank(each[0] if isinstance(each, list) else each))
    except (TypeError, ValueError):
        return elements


_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58, "sctp": 132, "udplite": 136}


def rank(key: Any) -> tuple[Any, ...]:
    """By what elements are sorted in a listing: the value as the kernel keeps it."""
    if isinstance(key, dict) and "elem" in key:
        key = key["elem"]["val"]
    if isinstance(key, dict) and "prefix" in key:
        return (int(ipaddress.ip_address(key["prefix"]["addr"])),)
    if isinstance(key, dict) and "range" in key:
        return rank(key["range"][0])
    if isinstance(key, dict) and "concat" in key:  # compared like numbers whose last byte counts most
        return tuple(reversed([_backwards(number) for each in key["concat"] for number in rank(each)]))
    return (_number(key),)


def _backwards(number: int) -> int:
    size = 2 if number < 1 << 16 else 4 if number < 1 << 32 else 16
    return int.from_bytes(number.to_bytes(size, "big"), "little")


def _number(value: Any) -> int:
    if isinstance(value, int):
        return value
    return _PROTOCOLS[value] if value in _PROTOCOLS else int(ipaddress.ip_address(value))
