"""How a packet passes a hook: base chains by priority, rules in order, jumps, and connection tracking between them.

A step does one thing to a journey and may leave several journeys behind it. The order of things is netfilter's: raw
(-300), connection tracking (-200), mangle (-150), destination NAT (-100), filter (0), source NAT (100).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubelab.trace.balancing import of_ipvs
from kubelab.trace.conntrack import Flow
from kubelab.trace.hops import Hop
from kubelab.trace.journey import Journey
from kubelab.trace.packet import WITH_PORTS, Header, endpoint
from kubelab.trace.program import (
    CONNTRACK_PRIORITY,
    DESTINATION_NAT_PRIORITY,
    SOURCE_NAT_PRIORITY,
    BaseChain,
    TraceChain,
    TraceRule,
    Way,
)
from kubelab.trace.reasons import dropped_by_policy, dropped_by_rule, rejected, too_deep, too_doubtful, unjudged

DEEPEST_JUMP = 16
"""How many chains deep the kernel follows jumps (NFT_JUMP_STACK_SIZE)."""

MOST_DOUBTS = 8
"""A packet is not followed past more rules that cannot be judged: every one doubles the ways."""

Left = list[Journey] | None
"""The journeys that a step leaves; None for the one that it was given."""


def run(journey: Journey) -> list[Journey]:
    """Take a journey, and all that it forks into, to their ends."""
    ended: list[Journey] = []
    waiting = [journey]
    while waiting:
        now = waiting.pop()
        while now.end is None:
            if now.steps is None:
                raise RuntimeError("a journey has no next step and no end")
            step, arguments, now.steps = now.steps
            left = step(now, *arguments)
            if left is not None:
                now = left[0]
                waiting += reversed(left[1:])
        ended.append(now)
    return ended


def pass_hook(journey: Journey, hook: str, tracked: bool = False, more: Iterable[tuple[int, Any]] = ()) -> None:
    """Ask every base chain at the hook, and take ``more`` steps, each at its priority.

    ``tracked``: the packet's connection is known already (it came by ``lo``).
    """
    journey.hook = hook
    early = hook in ("PREROUTING", "OUTPUT")
    steps: list[tuple[int, int, Any, tuple[Any, ...]]] = [
        (base.priority, 1, _enter, (base,)) for base in journey.place.firewall.at(hook, journey.family)
    ]
    steps += [(priority, 1, step, ()) for priority, step in more]
    if early and not tracked:
        steps.append((CONNTRACK_PRIORITY, 0, _find_connection, ()))
    if hook != "FORWARD":
        steps.append((DESTINATION_NAT_PRIORITY if early else SOURCE_NAT_PRIORITY, 2, _settle, (0 if early else 1,)))
    for _, _, step, arguments in sorted(steps, key=lambda each: each[:2], reverse=True):
        journey.then(step, *arguments)


def _enter(journey: Journey, base: BaseChain) -> None:
    if base.nat:
        side = 0 if base.hook in ("PREROUTING", "OUTPUT") else 1
        if "NEW" not in journey.states or journey.flow is not None or journey.translated[side]:
            return
    journey.then(_leave, base)
    journey.then(_ask, base, base.chain, 0, 1)


def _leave(journey: Journey, base: BaseChain) -> None:
    """The rules of a base chain let the packet pass to its end: its policy decides."""
    did = "drop" if base.drops else "accept"
    journey.note(_hop(journey, base, base.chain, "policy", did, journey.header))
    if base.drops:
        journey.finish("dropped", dropped_by_policy(journey.place.name, base.table, base.chain.name))


def _ask(journey: Journey, base: BaseChain, chain: TraceChain, start: int, depth: int) -> Left:
    """Ask the rules of a chain from ``start`` on, up to one that decides."""
    rules = chain.rules
    for at in range(start, len(rules)):
        rule = rules[at]
        if rule.destination is not None and rule.destination != journey.dst:
            continue
        ways = rule.ways(journey)
        if not ways:
            continue
        if len(journey.assumptions) >= MOST_DOUBTS and any(way.assumption for way in ways):
            journey.finish("unknown", too_doubtful(journey.place.name, MOST_DOUBTS, journey.assumptions[0]))
            return None
        last = len(ways) - 1
        left = [journey if number == last else journey.fork() for number in range(len(ways))]
        for each, way in zip(left, ways, strict=True):
            _go(each, way, base, chain, rule, at, depth)
        return left
    return None


def _go(journey: Journey, way: Way, base: BaseChain, chain: TraceChain, rule: TraceRule, at: int, depth: int) -> None:
    """Take one of a rule's ways on."""
    journey.share *= way.share
    journey.probability *= way.share
    if way.assumption:
        where = f"{journey.place.name}, {base.table} {chain.name} rule {rule.number} ({rule.text})"
        journey.assumptions = (*journey.assumptions, f"{where}: {way.assumption}")
    if not way.matched:
        journey.then(_ask, base, chain, at + 1, depth)
        return
    before = journey.header
    did = [action(journey) for action in way.actions]
    decision, word = way.verdict
    if decision not in ("continue", "accept") or not did:
        shown = decision if decision != "continue" else "go on"
        did.append(f"{shown} {word}".rstrip() if decision != "unknown" else "cannot be judged")
    journey.note(_hop(journey, base, chain, "rule", ", ".join(did), before, rule))
    if decision == "continue":
        journey.then(_ask, base, chain, at + 1, depth)
    elif decision == "jump":
        journey.then(_ask, base, chain, at + 1, depth)
        _jump(journey, base, word, depth)
    elif decision == "goto":
        _jump(journey, base, word, depth)
    elif decision == "accept":
        _unwind(journey)
    elif decision == "drop":
        journey.finish("dropped", dropped_by_rule(journey.hops[0]))
    elif decision == "reject":
        journey.finish("rejected", rejected(journey.hops[0], word))
    elif decision == "unknown":
        journey.finish("unknown", unjudged(journey.hops[0], word))


def _jump(journey: Journey, base: BaseChain, name: str, depth: int) -> None:
    if depth >= DEEPEST_JUMP:
        journey.finish("dropped", too_deep(journey.place.name, name, DEEPEST_JUMP))
        return
    journey.then(_ask, base, base.chains[name], 0, depth + 1)


def _unwind(journey: Journey) -> None:
    """Leave the base chain at once: what is left to ask in it is not asked, nor its policy."""
    steps = journey.steps
    while steps is not None:
        step, _, steps = steps
        if step is _leave:
            break
    journey.steps = steps


def _hop(
    journey: Journey, base: BaseChain, chain: TraceChain, kind: str, did: str, before: Header,
    rule: TraceRule | None = None,
) -> Hop:  # fmt: skip
    return Hop(
        kind,
        journey.place.name,
        journey.in_interface,
        journey.out_interface,
        base.hook,
        base.table,
        chain.name,
        rule.number if rule else 0,
        rule.text if rule else "",
        rule.comment if rule else "",
        did,
        before,
        journey.header,
        journey.share,
    )


def _find_connection(journey: Journey) -> None:
    """Connection tracking: does the packet belong to a connection that the node knows?"""
    journey.entered = journey.header
    journey.original = (journey.src, journey.dst, journey.dport)
    journey.translated = (False, False)
    found = _known(journey)
    if found is None:
        journey.flow, journey.answering = None, False
        stray = journey.replying and journey.proto == "tcp"
        journey.states = {"INVALID" if stray else "NEW"}
        return
    flow, journey.answering = found
    journey.flow, journey.connection_mark = flow, flow.mark
    journey.original = (flow.source, flow.destination, flow.destination_port)
    journey.states = {"NEW" if flow.unanswered and not journey.answering else "ESTABLISHED"}
    journey.states |= {"DNAT"} if flow.destination_translated and not of_ipvs(journey) else set()
    journey.states |= {"SNAT"} if flow.source_translated else set()
    side = "an answer in" if journey.answering else "a packet of"
    journey.note_here("conntrack", f"{side} a known connection", hook=journey.hook, rule=str(flow))


def _known(journey: Journey) -> tuple[Flow, bool] | None:
    ends = (journey.proto, journey.src, journey.sport, journey.dst, journey.dport)
    for place, flow in journey.flows:
        if place == journey.place.name and ends in (flow.first, flow.answer):
            return flow, flow.answer == ends and (journey.replying or flow.first != ends)
    if journey.proto not in WITH_PORTS or not journey.sport:
        return None
    return journey.place.conntrack.get(ends)


def _settle(journey: Journey, side: int) -> None:
    """The translation of a connection's destination (0) or source (1) is settled; a known one is carried out."""
    flow = journey.flow
    balanced = of_ipvs(journey) and (side == 1) is journey.answering  # IPVS translates these, and not here
    if flow is not None and not journey.translated[side] and not balanced:
        before = journey.header
        if side == 0:
            journey.dst, journey.dport = (
                (flow.source, flow.source_port) if journey.answering else (flow.reply_source, flow.reply_source_port)
            )
        else:
            journey.src, journey.sport = (
                (flow.destination, flow.destination_port)
                if journey.answering
                else (flow.reply_destination, flow.reply_destination_port)
            )
        if journey.header != before:
            kind = ("dnat", "snat")[side] if not journey.answering else ("un-snat", "un-dnat")[side]
            ends = (journey.dst, journey.dport) if side == 0 else (journey.src, journey.sport)
            journey.note_here("conntrack", f"{kind} {endpoint(*ends, journey.proto)}", before, journey.hook)
    journey.translated = (journey.translated[0] or side == 0, journey.translated[1] or side == 1)


def confirm(journey: Journey) -> None:
    """The packet leaves the node's hooks: its connection is entered, with the way that answers will take back."""
    entered = journey.entered
    if journey.flow is None and entered is not None and "NEW" in journey.states:
        flow = Flow(
            journey.proto,
            entered.source, entered.source_port, entered.destination, entered.destination_port,
            journey.dst, journey.dport, journey.src, journey.sport,
            unanswered=True, mark=journey.connection_mark,
        )  # fmt: skip
        journey.flows = (*journey.flows, (journey.place.name, flow))
    journey.entered = None
    journey.translated = (True, True)
