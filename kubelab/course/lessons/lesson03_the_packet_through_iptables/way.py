"""The hop table: what acts on a packet from a client to one server behind a Service and back, from the learner's rules.

Left out is what looks and changes nothing; `PacketWalk` shows that too. Nodes are called by their part in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from html import escape

from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab
from kubelab.trace import Hop, Outcome

CLIENTS_NODE, SERVERS_NODE = "client's node", "server's node"


@dataclass(frozen=True)
class Step:
    """One hop that matters."""

    place: str
    acts: str
    """Table and chain, or what acts in their stead."""
    does: str
    packet: str
    """Source → destination, as the packet is after it."""


@dataclass(frozen=True)
class HopTable:
    """A packet's way to a server, and the answer's way back."""

    there: tuple[Step, ...]
    back: tuple[Step, ...]

    def __repr__(self) -> str:
        return "\n".join(["the request:", *_lines(self.there), "the answer:", *_lines(self.back)])

    def _repr_html_(self) -> str:
        head = "".join(f"<th scope='col' style='text-align: left'>{word}</th>" for word in _HEAD)
        rows = "".join(
            f"<tr><th scope='rowgroup' colspan='4' style='text-align: left'>{title}</th></tr>"
            + "".join(map(_row, steps))
            for title, steps in (("the request", self.there), ("the answer", self.back))
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


_HEAD = ("where", "table and chain", "what it does", "the packet after it")


def hop_table(lab: Lab, source: str, service: str, server: str) -> HopTable:
    """The way of a new connection's first packet, if chance picks ``server``; read from the nodes now.

    Raises `LabError` when no rule leads there.
    """
    for outcome in lab.trace(source, service):
        if outcome.place == server:
            return of(outcome)
    raise LabError(f"No rule leads from {service} to {server}; lab.endpoints({service!r}) shows who is behind it.")


def of(outcome: Outcome) -> HopTable:
    """The table of an outcome that was delivered."""
    there, back = outcome.named.hops, outcome.reply()[0].named.hops
    nodes = list(dict.fromkeys(hop.place for hop in there if hop.kind in ("rule", "arrive")))
    parts = {there[0].place: there[0].place, nodes[0]: CLIENTS_NODE}
    if len(nodes) > 1:
        parts[nodes[-1]] = SERVERS_NODE
    return HopTable(tuple(_steps(there, parts)), tuple(_steps(back, parts)))


def _steps(hops: tuple[Hop, ...], parts: dict[str, str]) -> Iterator[Step]:
    for hop in hops:
        does = _does(hop)
        if does:
            acts = f"{hop.table} {hop.chain}" if hop.chain else _ACTS.get(hop.kind, hop.kind)
            after = f"{hop.after.source_text} → {hop.after.destination_text}"
            yield Step(parts.get(hop.place, hop.place), acts, does, after)


_ACTS = {"send": "process", "deliver": "process", "route": "routing", "conntrack": "connection table"}


def _does(hop: Hop) -> str:
    """What a hop does, in words; nothing for one that changes neither the packet nor its way."""
    if hop.kind in ("send", "deliver"):
        return "sends" if hop.kind == "send" else "receives"
    if hop.kind == "route":
        return "on, by the destination as it is now"
    if hop.kind == "conntrack":
        return "puts the Service's address back (un-DNAT)" if "un-dnat" in hop.did else ""
    if hop.kind != "rule" or hop.table != "nat":
        return ""
    if hop.chain == "PREROUTING" or hop.chain == "OUTPUT":
        return "jump to KUBE-SERVICES" if hop.after != hop.before or "KUBE-SERVICES" in hop.did else ""
    if hop.chain == "KUBE-SERVICES":
        return "this address and port: on to the Service's chain"
    if hop.chain.startswith("KUBE-SVC-"):
        return f"chance picks this endpoint, {Fraction(hop.share).limit_denominator(100)} of all"
    if hop.chain.startswith("KUBE-SEP-"):
        return "new destination (DNAT)" if hop.did.startswith("dnat") else "marks it (hairpin)"
    if hop.chain == "KUBE-POSTROUTING":
        return "not marked: the source stays" if hop.did == "return" else hop.did
    return ""


def _lines(steps: tuple[Step, ...]) -> Iterator[str]:
    wide = [
        max(len(part) for part in column) for column in zip(*((s.place, s.acts, s.does) for s in steps), strict=True)
    ]
    for step in steps:
        parts = (part.ljust(width) for part, width in zip((step.place, step.acts, step.does), wide, strict=True))
        yield f"  {'  '.join(parts)}  {step.packet}"


def _row(step: Step) -> str:
    cells = (escape(step.place), f"<code>{escape(step.acts)}</code>", escape(step.does), escape(step.packet))
    return "<tr>" + "".join(f"<td style='text-align: left'>{cell}</td>" for cell in cells) + "</tr>"
