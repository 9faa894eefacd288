"""Rules as the tracer walks them, whichever tool wrote them: base chains at hooks, rules that say their ways on.

The order of hooks and priorities is netfilter's (include/uapi/linux/netfilter_ipv4.h).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from kubelab.trace.journey import Journey

CONNTRACK_PRIORITY = -200
DESTINATION_NAT_PRIORITY = -100
SOURCE_NAT_PRIORITY = 100

Decision = Literal["continue", "accept", "return", "jump", "goto", "drop", "reject", "unknown"]

Action = Callable[["Journey"], str]
"""Changes the journey and says what it did: ``dnat 10.244.1.7:80``."""


class Verdict(NamedTuple):
    """Where the packet goes on after a rule. ``word``: the chain of a jump, or the kind of a rejection."""

    decision: Decision
    word: str = ""


GO_ON = Verdict("continue")


class Way(NamedTuple):
    """One way on from a rule."""

    verdict: Verdict = GO_ON
    actions: tuple[Action, ...] = ()
    share: float = 1.0
    """The probability of this way among those of the rule, where chance decides."""
    assumption: str = ""
    """What has to be so for this way, where the rule could not be judged; a sentence."""
    matched: bool = True
    """Whether the rule applied; otherwise the next one is asked, and the rule is no hop."""


class TraceRule(Protocol):
    """One rule of a chain. ``number`` counts from 1."""

    number: int
    destination: str | None
    """The only destination that it can match, when that is one address."""

    @property
    def text(self) -> str: ...

    @property
    def comment(self) -> str: ...

    def ways(self, journey: Journey) -> Sequence[Way]:
        """The ways on for the packet; none when the rule does not match it."""


@dataclass(slots=True)
class TraceChain:
    """Rules in order."""

    name: str
    rules: Sequence[TraceRule] = ()


@dataclass(slots=True)
class BaseChain:
    """A chain that the kernel calls at a hook."""

    tool: str
    """``iptables`` or ``nft``: whose table it is in."""
    family: str
    """``ip``, ``ip6`` or ``inet``."""
    table: str
    chain: TraceChain
    hook: str
    """In capitals: ``PREROUTING``."""
    priority: int
    nat: bool
    """Asked for a connection's first packet only, until one of its kind has translated it."""
    drops: bool
    """Its policy is to drop."""
    chains: Mapping[str, TraceChain] = field(default_factory=dict)
    """All chains of the table, by name."""

    def sees(self, family: str) -> bool:
        """Whether packets of ``ip`` or ``ip6`` pass it."""
        return self.family in ("inet", family)


@dataclass(slots=True)
class Firewall:
    """All base chains of one network namespace."""

    bases: list[BaseChain] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What was odd about the text, in sentences."""

    def at(self, hook: str, family: str) -> list[BaseChain]:
        """The base chains of a hook in the order in which the kernel calls them.

        Of two with the same priority the one made later is called first (as nf_hook_entries_grow inserts them;
        ``bases`` is in the order of making).
        """
        found = [base for base in reversed(self.bases) if base.hook == hook and base.sees(family)]
        return sorted(found, key=lambda base: base.priority)

    @classmethod
    def join(cls, parts: Iterable[Firewall]) -> Firewall:
        """Several tools' tables in one namespace, in the order in which they were made."""
        whole = cls()
        for part in parts:
            whole.bases += part.bases
            whole.notes += part.notes
        return whole


def either(matched: Iterable[Way], if_so: str, if_not: str) -> tuple[Way, ...]:
    """Both possibilities of a rule that could not be judged: it matches and does this, or it does not."""
    so = tuple(way._replace(assumption="; ".join(filter(None, (if_so, way.assumption)))) for way in matched)
    return (*so, Way(assumption=if_not, matched=False))
