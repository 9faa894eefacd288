"""Matches of iptables whose answer may be more than yes or no: chance, memory, what the texts do not tell.

All others are `kubelab.rules.judge`'s. See iptables-extensions(8).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kubelab.rules.judge import Check, checks
from kubelab.rules.model import Match, Rule
from kubelab.trace.balancing import of_ipvs
from kubelab.trace.ipsets import CannotLookUp

if TYPE_CHECKING:
    from kubelab.trace.journey import Journey

Doubt = Callable[["Journey"], "bool | float | str"]
"""Whether a match holds: for certain, with a probability, or (a text) why that cannot be judged."""


def _statistic(match: Match) -> Doubt:
    option = next(each for each in match.options if each.name in ("--probability", "--every"))
    share = float(option.value) if option.name == "--probability" else 1 / int(option.value)
    answer = 1.0 - share if option.negated else share
    certain: bool | float = answer if 0.0 < answer < 1.0 else answer >= 1.0
    return lambda _: certain


def _recent(match: Match) -> Doubt:
    action = match.options[0]
    if action.name == "--set":
        return lambda _: not action.negated
    if any(match.get(name) is not None for name in ("--hitcount", "--rttl")):
        return lambda _: "how often the match 'recent' saw the client is not in the texts"
    if match.get("--mask") not in (None, "255.255.255.255"):
        return lambda _: "the match 'recent' takes networks of clients together"
    name = match.get("--name") or "DEFAULT"
    by_source, within = match.get("--rdest") is None, match.get("--seconds") or ""

    def known(journey: Journey) -> bool:
        return journey.knows(name, journey.src if by_source else journey.dst, within) is not action.negated

    return known


_SOURCE_PORTS = ("--sport", "--sports", "--ports")


def _only(match: Match, wanted: Callable[[str], bool]) -> tuple[Check, ...]:
    """The checks of some of the match's options."""
    options = tuple(option for option in match.options if wanted(option.name))
    return checks(Rule((Match(match.name, options),))) if options else ()


def _transport(match: Match) -> Doubt:
    """Ports and TCP flags. The client's port may be unknown; of flags it is known that a first packet is a bare SYN."""
    certain = _only(match, lambda name: name not in (*_SOURCE_PORTS, "--tcp-flags"))
    by_source = _only(match, lambda name: name in _SOURCE_PORTS)
    flags = next((each for each in match.options if each.name == "--tcp-flags"), None)

    def holds(journey: Journey) -> bool | str:
        if not all(check(journey) for check in certain):
            return False
        if flags is not None:
            if "NEW" not in journey.states:
                return "which TCP flags a later packet has is not known"
            mask, _, wanted = flags.value.partition(" ")
            found = {"SYN"}.intersection(mask.split(","))
            if (found == set(wanted.split(",")).difference({"NONE"})) is flags.negated:
                return False
        if by_source and not journey.sport:
            return "the source port is not known"
        return all(check(journey) for check in by_source)

    return holds


def _sets(match: Match) -> Doubt:
    said = [word for word in match.raw or () if word != "!"]
    words, negated = " ".join(match.raw or ()), "!" in (match.raw or ())
    if len(said) != 3 or said[0] != "--match-set":
        return lambda _: f"'{words}' is not part of this model"
    name, sides = said[1], said[2].split(",")

    def holds(journey: Journey) -> bool | str:
        found = journey.place.ipsets.get(name)
        if found is None:
            return f"what the ipset of '{words}' holds is not in the texts"
        ends = {"src": (journey.src, journey.sport), "dst": (journey.dst, journey.dport)}
        if not journey.sport and ("src", "port") in zip(sides, found.dimensions, strict=False):
            return "the source port is not known"
        try:
            return found.holds([ends.get(side, ("", 0)) for side in sides], journey.proto) is not negated
        except CannotLookUp as unknown:
            return str(unknown)

    return holds


def _bridge(match: Match) -> Doubt:
    words = " ".join(match.raw or ())

    def holds(journey: Journey) -> bool | str:
        if words not in ("--physdev-is-in", "! --physdev-is-in") or journey.place.may_be_bridge(journey.in_interface):
            return f"by which port of a bridge it came ('{words}') is not in the texts"
        return words.startswith("!")

    return holds


def _balanced(match: Match) -> Doubt:
    words = list(match.raw or ())
    said = dict(zip(words, [*words[1:], ""], strict=True))

    def holds(journey: Journey) -> bool | str:
        if "!" in words or not set(said) & {"--vaddr", "--ipvs"}:
            return f"'{' '.join(words)}' is not part of this model"
        if not journey.balanced and not of_ipvs(journey):
            return False
        virtual = (journey.flow.destination, journey.flow.destination_port) if journey.flow else journey.original[1:]
        return "--vaddr" not in said or virtual == (said["--vaddr"].partition("/")[0], int(said.get("--vport", 0)))

    return holds


def _direction(match: Match) -> Doubt:
    others = _only(match, lambda name: name != "--ctdir")
    option = next((each for each in match.options if each.name == "--ctdir"), None)

    def holds(journey: Journey) -> bool:
        if not all(check(journey) for check in others):
            return False
        here = "REPLY" if journey.answering else "ORIGINAL"
        return option is None or (option.value == here) is not option.negated

    return holds


def _icmp(match: Match) -> Doubt:
    option = match.options[0]
    kind = option.value.partition("/")[0]

    def holds(journey: Journey) -> bool:
        here = "0" if journey.answering else "8"
        return (kind in ("any", here)) is not option.negated

    return holds


DOUBTS: dict[str, Callable[[Match], Doubt]] = {
    "statistic": _statistic,
    "recent": _recent,
    "tcp": _transport,
    "udp": _transport,
    "sctp": _transport,
    "multiport": _transport,
    "set": _sets,
    "physdev": _bridge,
    "ipvs": _balanced,
    "conntrack": _direction,
    "icmp": _icmp,
}
"""Match → what it asks of a packet."""
