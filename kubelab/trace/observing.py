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
        if not found or run.came_with < found[-1][-1].came_with:
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


def hops_of(place: Place, runs: Sequence[Run], flow: Flow | None, left: Header | None) -> Iterator[Hop]:
    """The rules and policies that the packet met, and what connection tracking did to it between them.

    ``flow``: the connection that the place has entered for it; ``left``: the packet as the next place saw it first.
    Both may be unknown.
    """
    answering = flow is not None and _answers(runs[0].header, flow)
    if answering and flow is not None:
        left = Header(runs[0].header.protocol, *_reversed(flow))
        came = Header(runs[0].header.protocol, *flow.answer[1:])
        if came != runs[0].header:
            yield _tracked(_bare_hop(place, runs[0], "PREROUTING", came), runs[0].header, answering)
    elif left is None and flow is not None:
        left = Header(runs[0].header.protocol, *flow.answer[3:], *flow.answer[1:3])
    mark = 0
    shown = [run for run in runs if any(_hops_of_run(place, run, 0))]
    for number, run in enumerate(shown, 1):
        after = shown[number].header if number < len(shown) else left or runs[-1].header
        found = list(_hops_of_run(place, run, mark))
        yield from found[:-1]
        last = found[-1]
        mark = last.after.mark
        base = base_chain(place, run)
        if after[:5] == last.after[:5]:
            yield last
        elif run.accepted and base is not None and base.nat:
            yield _translated(last, after)
        else:
            yield last
            yield _tracked(last, after, answering)


def flow_of(flows: Iterable[Flow], header: Header) -> Flow | None:
    """The connection of a packet, or of an answer to one (whose destination may be translated back already)."""
    return next((flow for flow in flows if flow.first == header[:5] or _answers(header, flow)), None)


def _answers(header: Header, flow: Flow) -> bool:
    protocol, source, source_port, *back = header[:5]
    ends = flow.reply_destination, flow.reply_destination_port
    return (protocol, source, source_port) == flow.answer[:3] and tuple(back) in (ends, (flow.source, flow.source_port))


def _reversed(flow: Flow) -> tuple[str, int, str, int]:
    return flow.destination, flow.destination_port, flow.source, flow.source_port


def _bare_hop(place: Place, run: Run, hook: str, header: Header) -> Hop:
    return Hop("conntrack", place.name, run.in_interface, hook=hook, before=header, after=header)


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


def _words(before: Header, after: Header, source: str = "snat", destination: str = "dnat") -> str:
    words = []
    if (before.destination, before.destination_port) != (after.destination, after.destination_port):
        words.append(f"{destination} {endpoint(after.destination, after.destination_port, after.protocol)}")
    if (before.source, before.source_port) != (after.source, after.source_port):
        words.append(f"{source} {endpoint(after.source, after.source_port, after.protocol)}")
    return ", ".join(words)


def _translated(hop: Hop, after: Header) -> Hop:
    now = after._replace(mark=hop.after.mark)
    words = [] if hop.did == "accept" else [hop.did]
    words.append(_words(hop.after, now, "masquerade" if "masquerade" in hop.rule.lower() else "snat"))
    return replace(hop, did=", ".join(words), after=now)


def _tracked(hop: Hop, after: Header, answering: bool) -> Hop:
    """What connection tracking did after a hop. (An answer is translated back, the other way round.)"""
    now = after._replace(mark=hop.after.mark)
    words = ("un-dnat", "un-snat") if answering else ("snat", "dnat")
    return replace(
        hop, kind="conntrack", table="", chain="", number=0, rule="", comment="",
        did=_words(hop.after, now, *words), before=hop.after, after=now,
    )  # fmt: skip
