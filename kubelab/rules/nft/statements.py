"""What the statements of a rule do to a packet, compiled into functions that the walk calls one after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from kubelab.rules.judge import CannotJudge, Passing
from kubelab.rules.nft.expressions import comparison, lookup, value
from kubelab.rules.nft.model import Chain, Container, Element, Rule, Table
from kubelab.rules.nft.printing import print_rule
from kubelab.rules.nft.sets import freeze


class Verdict(NamedTuple):
    """Where the packet goes on. ``word``: the chain of a jump, or the kind of a rejection."""

    kind: str
    word: str = ""


class Changing(Passing, Protocol):
    """The packet while it walks, as statements change it."""

    mark: int
    counted: int
    """Its length in bytes, for counters; 0 when nothing is to be counted."""

    def to_destination(self, address: str, port: int) -> None: ...

    def to_source(self, address: str, port: int) -> None: ...

    def to_this_node(self, port: int) -> None: ...

    def masquerading(self) -> None: ...


Step = Callable[[Any, Table], Verdict | None]
"""None goes on with the rule's next statement."""

BROKEN = Verdict("break")
"""The rule does not apply any further."""
ACCEPT, DROP, RETURN, CONTINUE = Verdict("accept"), Verdict("drop"), Verdict("return"), Verdict("continue")
_FINAL = {"accept": ACCEPT, "drop": DROP, "return": RETURN, "continue": CONTINUE}


def steps(chain: Chain) -> tuple[tuple[Step, ...], ...]:
    """The compiled rules of a chain; each is compiled when it is first asked."""
    return tuple(rule.compiled or _compile(rule) for rule in chain.rules)


def _compile(rule: Rule) -> tuple[Step, ...]:
    rule.compiled = tuple(step for step in map(_statement, rule.expressions) if step is not None)
    return rule.compiled


def _statement(statement: dict[str, Any]) -> Step | None:
    name, said = next(iter(statement.items()))
    compiler = _STATEMENTS.get(name)
    try:
        return compiler(name, said) if compiler else _unknown(statement)
    except CannotJudge:
        return _unknown(statement)


def _unknown(statement: Any) -> Step:
    def ask(packet: Changing, table: Table) -> Verdict | None:
        raise CannotJudge(f"'{print_rule([statement])}' is not part of this model")

    return ask


def _match(_: str, said: Any) -> Step:
    holds = comparison(said)
    return lambda packet, table: None if holds(packet, table) else BROKEN


def _verdict(name: str, said: Any) -> Step:
    decided = _decided({name: said})
    return lambda packet, table: decided


def _decided(said: dict[str, Any]) -> Verdict:
    name, target = next(iter(said.items()))
    return _FINAL[name] if name in _FINAL else Verdict(name, target["target"])


def _reject(_: str, said: Any) -> Step:
    said = said or {}
    if "reset" in said.get("type", ""):
        word = "tcp-reset"
    else:
        word = f"icmp-{said.get('expr', 'port-unreachable').replace('prot-', 'proto-')}"
    verdict = Verdict("reject", word)
    return lambda packet, table: verdict


def _vmap(_: str, said: Any) -> Step:
    key, find = value(said["key"]), lookup(said["data"])

    def ask(packet: Changing, table: Table) -> Verdict:
        found = key(packet, table)
        datum = None if found is None else find(found, table)
        return BROKEN if datum is None else _decided(datum)

    return ask


def _translation(name: str, said: Any) -> Step:
    act = "to_destination" if name == "dnat" else "to_source"
    address, port = said.get("addr", ""), said.get("port")
    if isinstance(address, dict) and "range" not in address:
        place = value(address)
    else:
        low, high = address["range"] if isinstance(address, dict) else (address, "")
        first, last = port["range"] if isinstance(port, dict) else (port, "")
        ports = "" if first is None else f"{first}-{last}" if last else str(first)
        place = _ranges(f"{low}-{high}" if high else low, ports)

    def ask(packet: Changing, table: Table) -> Verdict:
        found = place(packet, table)
        if found is None:
            return BROKEN
        where, number = found if isinstance(found, tuple) else (found, port if isinstance(port, int) else 0)
        getattr(packet, act)(where, number)
        return ACCEPT

    return ask


def _ranges(addresses: str, ports: str) -> Callable[[Any, Table], tuple[str, int]]:
    """A place drawn of ranges; an address that stays is empty, a port that stays is 0."""
    if "-" not in addresses and "-" not in ports:
        fixed = addresses, int(ports or 0)
        return lambda packet, table: fixed
    return lambda packet, table: packet.pick(addresses, ports)


def _masquerade(_: str, said: Any) -> Step:
    def ask(packet: Changing, table: Table) -> Verdict:
        packet.masquerading()
        return ACCEPT

    return ask


def _redirect(_: str, said: Any) -> Step:
    port = (said or {}).get("port", 0)
    if not isinstance(port, int):
        raise CannotJudge("it redirects to a range of ports")

    def ask(packet: Changing, table: Table) -> Verdict:
        packet.to_this_node(port)
        return ACCEPT

    return ask


def _counter(_: str, said: Any) -> Step | None:
    if not isinstance(said, dict):
        return None

    def ask(packet: Changing, table: Table) -> None:
        if packet.counted:
            said["packets"] += 1
            said["bytes"] += packet.counted

    return ask


def _mangle(_: str, said: Any) -> Step | None:
    if said["key"] != {"meta": {"key": "mark"}}:
        if "ct" in said["key"] or said["key"] == {"meta": {"key": "nftrace"}}:
            return None  # the mark of a connection is for its later packets
        raise CannotJudge("it sets what is not part of this model")
    new = value(said["value"])

    def ask(packet: Changing, table: Table) -> None:
        packet.mark = new(packet, table)

    return ask


def _fill(name: str, said: Any) -> Step:
    """``add``, ``update`` or ``delete`` of an element of a set, or of a map with what it maps to."""
    attributes = said["elem"]["elem"] if isinstance(said["elem"], dict) and "elem" in said["elem"] else {}
    key = value(attributes.get("val", said["elem"]))
    data = value(said["data"]) if name == "map" else None
    where, operation, timeout = said[name].removeprefix("@"), said["op"], attributes.get("timeout", 0)

    def ask(packet: Changing, table: Table) -> Verdict | None:
        container, found = table.containers[where], key(packet, table)
        if found is None:
            return BROKEN
        if operation == "delete":
            container.remove(_thawed(found))
            return None
        datum = data(packet, table) if data else None
        return _put(container, Element(_thawed(found), _thawed(datum), timeout=timeout), operation == "update")

    return ask


def _put(container: Container, element: Element, update: bool) -> Verdict | None:
    key = freeze(element.key)
    known = container.get(key)
    if known is not None and not update:
        return None
    if known is None and not container.make_room():
        return BROKEN
    container.add(element)
    return None


def _thawed(found: Any) -> Any:
    return {"concat": list(found)} if isinstance(found, tuple) else found


def _nothing(_: str, said: Any) -> None:
    return None


_STATEMENTS: dict[str, Callable[[str, Any], Step | None]] = {
    "match": _match,
    "accept": _verdict,
    "drop": _verdict,
    "return": _verdict,
    "continue": _verdict,
    "jump": _verdict,
    "goto": _verdict,
    "reject": _reject,
    "vmap": _vmap,
    "dnat": _translation,
    "snat": _translation,
    "masquerade": _masquerade,
    "redirect": _redirect,
    "counter": _counter,
    "mangle": _mangle,
    "set": _fill,
    "map": _fill,
    "log": _nothing,
}
