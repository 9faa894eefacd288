"""What the kernel's IPVS does to a packet, and at which hooks (net/netfilter/ipvs/ip_vs_core.c).

A virtual address is one of the node's own: the packet is taken in, passes INPUT, and is balanced after the filter
rules. Translated, it leaves as one that the node itself sends: it passes OUTPUT and POSTROUTING. What a process of the
node sends is balanced in OUTPUT, after its nat rules. Answers are translated back in FORWARD, or in INPUT.
"""

from __future__ import annotations

from collections.abc import Callable

from kubelab.trace import reasons
from kubelab.trace.hops import Hop
from kubelab.trace.ipvs import RealServer, VirtualServer, chances
from kubelab.trace.journey import Journey
from kubelab.trace.packet import Header, endpoint

PRIORITIES = {"INPUT": 99, "OUTPUT": -98}
"""Where IPVS balances: just before source NAT in INPUT, just after destination NAT in OUTPUT."""
ANSWER_PRIORITIES = {"INPUT": 98, "FORWARD": 100}
"""Where it translates answers back."""

_SendOn = Callable[[Journey], None]


def balance(journey: Journey, send_on: _SendOn) -> list[Journey] | None:
    """Pick a real server. ``send_on`` sets out a packet for elsewhere; one for the node itself goes on as it came."""
    server = None if journey.balanced else journey.place.ipvs.servers.get((journey.proto, journey.dst, journey.dport))
    if server is None or journey.answering:
        return None
    picks = _picks(journey, server)
    if not picks:
        journey.note(_hop(journey, journey.header, server.text, "reject icmp-port-unreachable"))
        journey.finish("rejected", reasons.nobody_to_balance(journey.place.name, server.text))
        return None
    left = [journey if number == len(picks) - 1 else journey.fork() for number in range(len(picks))]
    for each, (real, share, assumption) in zip(left, picks, strict=True):
        each.share *= share
        each.probability *= share
        if assumption:
            each.assumptions = (*each.assumptions, f"{each.place.name}, IPVS ({server.text}): {assumption}")
        _translate(each, server, real, send_on)
    return left


def _picks(journey: Journey, server: VirtualServer) -> tuple[tuple[RealServer, float, str], ...]:
    flow = journey.flow
    reals = {(real.address, real.port): real for real in server.real_servers}
    if flow is not None and (real := reals.get((flow.reply_source, flow.reply_source_port))):
        return ((real, 1.0, ""),)
    if server.persistence:
        for real in server.real_servers:
            if {(journey.place.name, str(real), journey.src), ("", str(real), journey.src)} & journey.remembered:
                return ((real, 1.0, ""),)
        journey.taken_as_new = (*journey.taken_as_new, f"of IPVS ({server.text})")
    found = chances(server)
    if journey.draws is None or any(assumption for *_, assumption in found) or len(found) < 2:
        return found
    drawn, upto = journey.draw(), 0.0
    for real, share, _ in found:
        upto += share
        if drawn < upto:
            return ((real, 1.0, ""),)
    return ((found[-1][0], 1.0, ""),)


def _translate(journey: Journey, server: VirtualServer, real: RealServer, send_on: _SendOn) -> None:
    line = server.line_of(real)
    if real.forwarding != "masq":
        journey.note(_hop(journey, journey.header, line, "cannot be judged"))
        journey.finish("unknown", f"IPVS forwards it by {real.forwarding!r} on {journey.place.name}: {line}.")
        return
    before = journey.header
    journey.dst, journey.dport, journey.balanced = real.address, real.port, True
    did = f"dnat {endpoint(journey.dst, journey.dport, journey.proto)}"
    journey.note(_hop(journey, before, line, did))
    if not journey.is_local(journey.dst):
        send_on(journey)


def translate_back(journey: Journey) -> None:
    """An answer of a real server gets the virtual server's address."""
    flow = journey.flow
    if flow is None or not journey.answering or not of_ipvs(journey):
        return
    before = journey.header
    journey.src, journey.sport = flow.destination, flow.destination_port
    if journey.header != before:
        did = f"un-dnat {endpoint(journey.src, journey.sport, journey.proto)}"
        journey.note(_hop(journey, before, str(flow), did))


def of_ipvs(journey: Journey) -> bool:
    """Whether the packet's connection is one that IPVS balances here."""
    flow = journey.flow
    return flow is not None and (flow.protocol, flow.destination, flow.destination_port) in journey.place.ipvs


def _hop(journey: Journey, before: Header, rule: str, did: str) -> Hop:
    return Hop(
        "ipvs", journey.place.name, journey.in_interface, journey.out_interface, journey.hook,
        rule=rule, did=did, before=before, after=journey.header, share=journey.share,
    )  # fmt: skip
