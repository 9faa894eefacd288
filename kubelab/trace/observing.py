"""What the kernel said of a packet in one place (nf_tables' trace), as hops.

The kernel shows the packet's header at the start of each base chain, its mark after each rule, and a rule by its
handle. Which rule that is, as written, comes from the texts: they list rules in the kernel's order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kubelab.trace.conntrack import Flow
from kubelab.trace.hops import Hop
from kubelab.trace.packet import Header, endpoint
from kubelab.trace.places import Place
from kubelab.trace.program import BaseChain

Event = Mapping[str, Any]
"""One thing that the kernel said; the listener on the node makes it (`kubelab.lab.listener_program`)."""

_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 132: "sctp"}


@dataclass
class Run:
    """The events of one base chain, and the packet as it came to it."""

    header: Header
    in_interface: str
    out_interface: str
    events: list[Event]

    @property
    def accepted(self) -> bool:
        """Whether a rule of it ended it, letting the packet pass: as one that translates does."""
        last = self.events[-1]
        return not last["policy"] and last["verdict"] == "accept"

    @property
    def came_with(self) -> int:
        """The TTL with which the packet came to the place: passing one on lowers it by 1."""
        passed_on = bool(self.in_interface and self.out_interface)
        return int(self.packet["ttl"]) + passed_on

    @property
    def packet(self) -> Mapping[str, Any]:
        """Header and all by which the packet is known again."""
        found: Mapping[str, Any] = self.events[0]["packet"]
        return found

    @property
    def names(self) -> tuple[str, str, str]:
        """Family, table and base chain."""
        first = self.events[0]
        return first["family"], first["table"], first["chain"]


def header_of(packet: Mapping[str, Any], mark: int = 0) -> Header:
    """The packet that an event shows."""
    protocol = _PROTOCOLS.get(packet["protocol"], str(packet["protocol"]))
    ends = packet["source"], packet.get("source_port", 0), packet["destination"], packet.get("destination_port", 0)
    return Header(protocol, *ends, mark)


def visits_of(runs: Sequence[Run]) -> list[list[Run]]:
    """A packet may come to a place again: then somebody else has lowered its TTL meanwhile."""
    found: list[list[Run]] = []
    for run in runs:
        again = found and not run.out_interface and run.packet["ttl"] < found[-1][-1].packet["ttl"]
        if again or not found:
            found.append([])
        found[-1].append(run)
    return found


def runs_of(events: Iterable[Event]) -> list[Run]:
    """The base chains that one packet passed in one place, in order."""
    found: list[Run] = []
    for event in events:
        if "packet" in event:
            found.append(Run(header_of(event["packet"]), event["in"], event["out"], []))
        if found:
            found[-1].events.append(event)
    return found


def hops_of(place: Place, runs: Sequence[Run], left: Header | None) -> Iterator[Hop]:
    """The rules and policies that the packet met. ``left``: the packet as it left the place, when that is known."""
    mark = 0
    for at, run in enumerate(runs):
        after = runs[at + 1].header if at + 1 < len(runs) else left or run.header
        found = list(_hops_of_run(place, run, mark))
        if not found:
            continue
        mark = found[-1].after.mark
        last = found[-1]
        if after[:5] == last.after[:5]:
            yield from found
        elif run.accepted and (base := base_chain(place, run)) is not None and base.nat:
            yield from found[:-1]
            yield _translated(last, after)
        else:  # connection tracking has done it, between the hooks
            yield from found
            yield _tracked(last, after)


def _hops_of_run(place: Place, run: Run, mark: int) -> Iterator[Hop]:
    base = base_chain(place, run)
    for event in run.events:
        before, after = (run.header._replace(mark=each) for each in (mark, event["mark"]))
        mark = event["mark"]
        if not event["policy"] and not event["handle"]:
            continue  # the end of a chain
        if event["policy"] and base is None and event["verdict"] == "accept":
            continue  # an empty chain of iptables: its texts do not tell whether the kernel has it
        yield _hop(place, base, run, event, before, after)


def base_chain(place: Place, run: Run) -> BaseChain | None:
    """The base chain of a run in the texts."""
    family, table, chain = run.names
    for base in place.firewall.bases:
        if base.chain.name == chain and base.table in (table, f"{family} {table}"):
            return base
    return None


def _hop(place: Place, base: BaseChain | None, run: Run, event: Event, before: Header, after: Header) -> Hop:
    rule = comment = ""
    chain = base.chains.get(event["chain"]) if base is not None else None
    if chain is not None and 0 < event["number"] <= len(chain.rules):
        found = chain.rules[event["number"] - 1]
        rule, comment = found.text, found.comment
    did = f"{event['verdict']} {event['to']}".rstrip()
    if before.mark != after.mark:
        did = f"mark {after.mark:#x}" + (f", {did}" if did not in ("continue", "accept") else "")
    return Hop(
        "policy" if event["policy"] else "rule",
        place.name,
        run.in_interface,
        run.out_interface,
        base.hook if base is not None else "",
        base.table if base is not None else f"{event['family']} {event['table']}",
        event["chain"],
        event["number"],
        rule,
        comment,
        "go on" if did == "continue" else did,
        before,
        after,
    )


def _words(before: Header, after: Header, masquerade: bool = False) -> str:
    words = []
    if (before.destination, before.destination_port) != (after.destination, after.destination_port):
        words.append(f"dnat {endpoint(after.destination, after.destination_port, after.protocol)}")
    if (before.source, before.source_port) != (after.source, after.source_port):
        kind = "masquerade" if masquerade else "snat"
        words.append(f"{kind} {endpoint(after.source, after.source_port, after.protocol)}")
    return ", ".join(words)


def _translated(hop: Hop, after: Header) -> Hop:
    now = after._replace(mark=hop.after.mark)
    words = [] if hop.did == "accept" else [hop.did]
    return replace(hop, did=", ".join([*words, _words(hop.after, now, "masquerade" in hop.rule.lower())]), after=now)


def _tracked(hop: Hop, after: Header) -> Hop:
    now = after._replace(mark=hop.after.mark)
    return replace(
        hop, kind="conntrack", table="", chain="", number=0, rule="", comment="",
        did=_words(hop.after, now), before=hop.after, after=now,
    )  # fmt: skip


def left_by(flow: Flow, came: Header) -> Header:
    """A packet as it leaves a place, by the connection that the place has entered for it."""
    if flow.answer == came[:5] and flow.first != came[:5]:
        ends = flow.destination, flow.destination_port, flow.source, flow.source_port
    else:
        ends = flow.reply_destination, flow.reply_destination_port, flow.reply_source, flow.reply_source_port
    return Header(came.protocol, *ends)
