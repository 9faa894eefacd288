"""One rule of iptables: what has to hold, what may hold, and what then happens.

See iptables-extensions(8). Matches are judged by `kubelab.rules.judge`, and by `kubelab.trace.iptables_matches` where a
trace wants more than yes or no.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from kubelab.rules import values
from kubelab.rules.errors import RuleError
from kubelab.rules.judge import CannotJudge, Check, checks
from kubelab.rules.line import parse_rules, split
from kubelab.rules.model import Match, Rule, Target
from kubelab.trace import translation
from kubelab.trace.iptables_matches import DOUBTS, Doubt
from kubelab.trace.judging import spread
from kubelab.trace.program import GO_ON, Action, TraceChain, Verdict, Way, either

if TYPE_CHECKING:
    from kubelab.trace.journey import Journey

_HARMLESS = frozenset({"LOG", "NFLOG", "TRACE", "AUDIT", "TCPMSS", "CHECKSUM", "DSCP", "TOS", "TTL", "HL", "CLASSIFY"})
"""Targets after which the next rule is asked, and that change nothing a rule of this model asks for."""

_FINAL = {"ACCEPT": Verdict("accept"), "DROP": Verdict("drop"), "RETURN": Verdict("return")}


class IptablesRule:
    """A line of ``iptables-save``, read when it is first asked."""

    __slots__ = ("_chains", "_line", "_read", "destination", "number")

    def __init__(self, line: str, number: int, destination: str | None, chains: Mapping[str, TraceChain]) -> None:
        self.number = number
        self.destination = destination
        self._line = line
        self._chains = chains
        self._read: tuple[_Alternative, ...] | str | None = None

    @property
    def text(self) -> str:
        """As written, without counters."""
        return self._line if self._line.startswith("-") else self._line.partition("] ")[2]

    @property
    def comment(self) -> str:
        """The text of its comment, empty when there is none."""
        read = self._reading()
        return "" if isinstance(read, str) or not read else read[0].rule.comment

    def ways(self, journey: Journey) -> Sequence[Way]:
        """See `kubelab.trace.program.TraceRule`."""
        read = self._reading()
        if isinstance(read, str):
            return unreadable(read)
        for alternative in read:
            if found := alternative.ways(journey, self._chains):
                return found
        return ()

    def _reading(self) -> tuple[_Alternative, ...] | str:
        if self._read is None:
            try:
                rules = parse_rules(_words(self.text)[2:], strict=False)
                self._read = tuple(_Alternative(rule) for rule in rules)
            except RuleError as error:
                self._read = f"it is not understood ({str(error).strip()})"
        return self._read


def _words(text: str) -> list[str]:
    """The words of a rule; `iptables-save` puts quoted ones between blanks, which is quicker to read."""
    if "\\" in text:
        return split(text)
    words: list[str] = []
    for at, part in enumerate(text.split('"')):
        words += [part] if at % 2 else part.split()
    return words


def unreadable(why: str) -> tuple[Way, ...]:
    """The ways on from a rule that is not understood at all."""
    return (
        Way(Verdict("unknown", why), assumption="it decides about the packet"),
        Way(assumption="it does not concern the packet", matched=False),
    )


class _Alternative:
    """One rule of those that a line stands for (several when it lists addresses)."""

    __slots__ = ("_certain", "_doubts", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        plain = tuple(match for match in rule.matches if match.name not in DOUBTS)
        known = Rule(plain, None, rule.source, rule.destination, rule.in_interface, rule.out_interface, rule.protocol)
        self._certain: tuple[Check, ...] = checks(known)
        self._doubts: tuple[Doubt, ...] = tuple(
            DOUBTS[match.name](match) for match in rule.matches if match.name in DOUBTS
        )

    def ways(self, journey: Journey, chains: Mapping[str, TraceChain]) -> Sequence[Way]:
        unsure: list[str] = []
        for check in self._certain:
            try:
                if not check(journey):
                    return ()
            except CannotJudge as unknown:
                unsure.append(str(unknown))
        share = 1.0
        for doubt in self._doubts:
            answer = doubt(journey)
            if answer is False:
                return ()
            if isinstance(answer, str):
                unsure.append(answer)
            elif answer is not True:
                share *= answer
        matched = self._matched(journey, chains)
        if share < 1.0:
            if journey.draws is not None:
                if journey.draw() >= share:
                    return ()
            else:
                matched = tuple(way._replace(share=way.share * share) for way in matched)
                matched = (*matched, Way(share=1.0 - share, matched=False))
        if unsure:
            reasons = "; ".join(unsure)
            return either(matched, f"it matches: {reasons}", f"it does not match: {reasons}")
        return matched

    def _matched(self, journey: Journey, chains: Mapping[str, TraceChain]) -> tuple[Way, ...]:
        target = self.rule.target
        actions = tuple(_recent_action(match) for match in self.rule.matches if _notes_client(match))
        if target is None:
            return (Way(GO_ON, actions),)
        if target.name in chains:
            return (Way(Verdict("goto" if target.goto else "jump", target.name), actions),)
        if target.name in _FINAL:
            return (Way(_FINAL[target.name], actions),)
        if target.name == "REJECT":
            return (Way(Verdict("reject", target.get("--reject-with") or "icmp-port-unreachable"), actions),)
        if target.name in _HARMLESS:
            return (Way(GO_ON, actions),)
        act = _TARGETS.get(target.name)
        if act is not None and not actions:
            return act(target)
        if act is not None:
            return tuple(way._replace(actions=(*actions, *way.actions)) for way in act(target))
        return _unknown_target(target)


def _unknown_target(target: Target) -> tuple[Way, ...]:
    missing = not target.raw and target.name.isupper() and "-" in target.name
    what = f"chain {target.name} is missing from the table" if missing else f"the target {target.name} is not known"
    return (
        Way(Verdict("unknown", what), assumption=f"{what}: it decides about the packet"),
        Way(GO_ON, assumption=f"{what}: the packet goes on to the next rule"),
    )


def _notes_client(match: Match) -> bool:
    return match.name == "recent" and match.options[0].name in ("--set", "--update")


def _recent_action(match: Match) -> Action:
    name = match.get("--name") or "DEFAULT"
    by_source = match.get("--rdest") is None
    return lambda journey: journey.remember(name, journey.src if by_source else journey.dst)


def _mark(target: Target) -> tuple[Way, ...]:
    value, mask = values.masked(target.get("--set-xmark") or "0")
    return (Way(GO_ON, (translation.mark(lambda old: (old & ~mask & values.FULL_MASK) ^ value),)),)


def _connection_mark(target: Target) -> tuple[Way, ...]:
    """See iptables-extensions(8), CONNMARK."""
    words = list(target.raw or ())
    said = dict(zip(words, [*words[1:], ""], strict=True))
    packet, connection = (int(said.get(name, f"{values.FULL_MASK:#x}"), 0) for name in ("--nfmask", "--ctmask"))
    if "--restore-mark" in said:
        act = translation.restored_mark(lambda mark, noted: (mark & ~packet) ^ (noted & connection))
    elif "--save-mark" in said:
        act = translation.connection_mark(lambda noted, mark: (noted & ~connection) ^ (mark & packet))
    elif "--set-xmark" in said:
        value, mask = values.masked(said["--set-xmark"])
        act = translation.connection_mark(lambda noted, _: (noted & ~mask & values.FULL_MASK) ^ value)
    else:
        return _unknown_target(target)
    return (Way(GO_ON, (act,)),)


def _destination(target: Target) -> tuple[Way, ...]:
    return _places(target.get("--to-destination") or "", translation.destination)


def _source(target: Target) -> tuple[Way, ...]:
    return _places(target.get("--to-source") or "", translation.source)


def _places(text: str, translate: Callable[[str, int], Action]) -> tuple[Way, ...]:
    found = spread(*values.split_destination(text))
    if found is None:
        return (Way(Verdict("unknown", f"it translates to too many places to list: {text}")),)
    return tuple(Way(Verdict("accept"), (translate(*place),), 1 / len(found)) for place in found)


def _masquerade(target: Target) -> tuple[Way, ...]:
    return (Way(Verdict("accept"), (translation.masquerade(target.get("--random-fully") is not None),)),)


def _redirect(target: Target) -> tuple[Way, ...]:
    found = spread("", target.get("--to-ports") or "") or [("", -1)]
    return tuple(Way(Verdict("accept"), (translation.redirect(port),), 1 / len(found)) for _, port in found)


_TARGETS: dict[str, Callable[[Target], tuple[Way, ...]]] = {
    "MARK": _mark,
    "CONNMARK": _connection_mark,
    "DNAT": _destination,
    "SNAT": _source,
    "MASQUERADE": _masquerade,
    "REDIRECT": _redirect,
}
