"""What a match means for a packet: compiles a match into a function of the packet under way."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Protocol

from kubelab.rules import values
from kubelab.rules.addresses import number
from kubelab.rules.model import Extension, Field, Match, Rule
from kubelab.rules.packet import Memory


class CannotJudge(Exception):
    """A match or target whose meaning for this packet is not known to the model."""


class Passing(Protocol):
    """The packet while it walks, as the matches see it."""

    proto: str
    src: str
    dst: str
    sport: int
    dport: int
    in_interface: str
    out_interface: str
    mark: int
    states: set[str]
    original: tuple[str, str, int]
    """Source, destination and destination port before any translation."""
    memory: Memory

    def is_local(self, address: str) -> bool: ...

    def draw(self) -> float: ...


Check = Callable[[Passing], bool]


def checks(rule: Rule) -> tuple[Check, ...]:
    """What has to hold for the rule, in the order in which it is asked."""
    found: list[Check] = []
    if rule.protocol is not None:
        found.append(_protocol(rule.protocol))
    if rule.destination is not None:
        found.append(_network(rule.destination, "dst"))
    if rule.source is not None:
        found.append(_network(rule.source, "src"))
    if rule.in_interface is not None:
        found.append(_interface(rule.in_interface, "in_interface"))
    if rule.out_interface is not None:
        found.append(_interface(rule.out_interface, "out_interface"))
    for match in rule.matches:
        if match.name in _ALWAYS:
            continue
        compile_match = _MATCHES.get(match.name)
        found += compile_match(match) if compile_match else [_unknown(match)]
    return tuple(found)


def _unknown(extension: Extension, why: str = "") -> Check:
    def ask(_: Passing) -> bool:
        raise CannotJudge(why or f"the match '{extension.name}' is not part of this model")

    return ask


def _not(check: Check) -> Check:
    return lambda packet: not check(packet)


def _protocol(field: Field) -> Check:
    want, negated = field
    return lambda packet: (packet.proto == want) is not negated


def _network(field: Field, side: str) -> Check:
    address, _, _ = field.value.partition("/")
    negated = field.negated
    net = ipaddress.ip_network(field.value, strict=False)
    if net.prefixlen == net.max_prefixlen:
        if side == "dst":
            return lambda packet: (packet.dst == address) is not negated
        return lambda packet: (packet.src == address) is not negated
    first, mask = int(net.network_address), int(net.netmask)
    if side == "dst":
        return lambda packet: (number(packet.dst) & mask == first) is not negated
    return lambda packet: (number(packet.src) & mask == first) is not negated


def _interface(field: Field, side: str) -> Check:
    prefix = field.value.removesuffix("+")
    wildcard = prefix != field.value
    negated = field.negated

    def ask(packet: Passing) -> bool:
        name: str = getattr(packet, side)
        return (name.startswith(prefix) if wildcard else name == prefix) is not negated

    return ask


def _ports(text: str) -> tuple[tuple[int, int], ...]:
    ranges = []
    for part in text.split(","):
        low, _, high = part.partition(":")
        ranges.append((int(low), int(high or low)))
    return tuple(ranges)


def _port(text: str, side: str) -> Check:
    ((low, high),) = _ports(text)
    if side == "sport":
        return lambda packet: low <= packet.sport <= high
    if low == high:
        return lambda packet: packet.dport == low
    return lambda packet: low <= packet.dport <= high


def _transport(match: Match) -> list[Check]:
    found: list[Check] = []
    for option in match.options:
        if option.name in ("--sport", "--dport"):
            check = _port(option.value, option.name.removeprefix("--"))
        elif option.value in ("FIN,SYN,RST,ACK SYN", "FIN,SYN,RST,PSH,ACK,URG SYN", "SYN SYN"):
            check = _first_packet
        else:
            check = _unknown(match, f"TCP flags '{option.value}' are not part of this model")
        found.append(_not(check) if option.negated else check)
    return found


def _first_packet(packet: Passing) -> bool:
    return "NEW" in packet.states


def _multiport(match: Match) -> list[Check]:
    found: list[Check] = []
    for name, value, negated in match.options:
        ranges = _ports(value)

        def ask(packet: Passing, name: str = name, ranges: tuple[tuple[int, int], ...] = ranges) -> bool:
            have = {"--sports": (packet.sport,), "--dports": (packet.dport,)}.get(name, (packet.sport, packet.dport))
            return any(low <= port <= high for port in have for low, high in ranges)

        found.append(_not(ask) if negated else ask)
    return found


def _mark(match: Match) -> list[Check]:
    ((_, text, negated),) = match.options
    value, mask = values.masked(text)
    return [lambda packet: (packet.mark & mask == value) is not negated]


def _conntrack(match: Match) -> list[Check]:
    found: list[Check] = []
    for name, value, negated in match.options:
        check: Check
        if name in ("--ctstate", "--state"):
            check = _states(frozenset(value.split(",")))
        elif name == "--ctdir":
            check = _unknown(match, "the direction of a connection is not part of this model")
        else:
            check = _original(name, value)
        found.append(_not(check) if negated else check)
    return found


def _states(wanted: frozenset[str]) -> Check:
    return lambda packet: not wanted.isdisjoint(packet.states)


def _original(name: str, value: str) -> Check:
    if name == "--ctorigdstport":
        ((low, high),) = _ports(value)
        return lambda packet: low <= packet.original[2] <= high
    net = ipaddress.ip_network(value)
    first, mask = int(net.network_address), int(net.netmask)
    side = 0 if name == "--ctorigsrc" else 1
    return lambda packet: number(str(packet.original[side])) & mask == first


def _address_type(match: Match) -> list[Check]:
    found: list[Check] = []
    for name, value, negated in match.options:
        kinds = frozenset(value.split(","))
        if not kinds <= {"LOCAL", "UNICAST", "MULTICAST", "BROADCAST"}:
            found.append(_unknown(match, f"the address type {value} is not part of this model"))
            continue

        def ask(packet: Passing, source: bool = name == "--src-type", kinds: frozenset[str] = kinds) -> bool:
            return _type_of(packet, packet.src if source else packet.dst) in kinds

        found.append(_not(ask) if negated else ask)
    return found


def _type_of(packet: Passing, address: str) -> str:
    if packet.is_local(address):
        return "LOCAL"
    if address == "255.255.255.255":
        return "BROADCAST"
    return "MULTICAST" if ipaddress.ip_address(address).is_multicast else "UNICAST"


def _statistic(match: Match) -> list[Check]:
    if match.get("--mode") == "nth":
        every, first = int(match.get("--every") or 1), int(match.get("--packet") or 0)
        option = next(option for option in match.options if option.name == "--every")

        def turn(packet: Passing) -> bool:
            last = packet.memory.nth.get(id(match), first)
            count = 0 if last >= every - 1 else last + 1
            packet.memory.nth[id(match)] = count
            return count == 0

        return [_not(turn) if option.negated else turn]
    option = next(option for option in match.options if option.name == "--probability")
    share, negated = float(option.value), option.negated
    return [lambda packet: (packet.draw() < share) is not negated]


def _recent(match: Match) -> list[Check]:
    action = match.options[0]
    name = match.get("--name") or "DEFAULT"
    seconds = match.get("--seconds")
    within = float(seconds) if seconds is not None else None
    source = match.get("--rdest") is None
    if match.get("--hitcount") is not None or match.get("--rttl") is not None:
        return [_unknown(match, "--hitcount and --rttl of the match 'recent' are not part of this model")]
    if match.get("--mask") not in (None, "255.255.255.255"):
        return [_unknown(match, "--mask of the match 'recent' is not part of this model")]

    def ask(packet: Passing) -> bool:
        memory, address = packet.memory, packet.src if source else packet.dst
        if match.get("--reap") is not None and within is not None:
            memory.reap(name, within)
        if action.name == "--set":
            memory.remember(name, address)
            return True
        if action.name == "--remove":
            return memory.forget(name, address)
        found = memory.seen(name, address, within)
        if found and action.name == "--update":
            memory.remember(name, address)
        return found

    return [_not(ask) if action.negated else ask]


def _icmp(match: Match) -> list[Check]:
    option = match.options[0]
    if option.value == "any":
        return []
    return [_unknown(match, "ICMP types are not part of this model")]


_ALWAYS = frozenset({"comment", "nfacct"})

_MATCHES: dict[str, Callable[[Match], list[Check]]] = {
    "tcp": _transport,
    "udp": _transport,
    "sctp": _transport,
    "icmp": _icmp,
    "multiport": _multiport,
    "mark": _mark,
    "conntrack": _conntrack,
    "state": _conntrack,
    "addrtype": _address_type,
    "statistic": _statistic,
    "recent": _recent,
}
