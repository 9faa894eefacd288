"""Packet-filter rules as data: what a rule says, a chain and a table hold.

Values are kept in the words of ``iptables-save``, so printing a rule is joining them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

BUILT_IN_CHAINS: dict[str, tuple[str, ...]] = {
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
    "raw": ("PREROUTING", "OUTPUT"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
}
"""The tables in the order in which ``iptables-save`` prints them, each with the chains that the kernel calls."""


class Option(NamedTuple):
    """One option of a match or target, canonical: ``--dport 80``, ``! --src-type LOCAL``, ``--reap``."""

    name: str
    value: str = ""
    negated: bool = False


class Field(NamedTuple):
    """The value of one of the fields that every rule has (source, interface …) and whether ``!`` is before it."""

    value: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Extension:
    """A match (``-m name``) or a target (``-j name``) with its options in canonical order."""

    name: str
    options: tuple[Option, ...] = ()
    raw: tuple[str, ...] | None = None
    """The words as they were given, for an extension that this model does not know; None for a known one."""

    def get(self, option: str) -> str | None:
        """The option's value (empty for a flag), or None."""
        return next((have.value for have in self.options if have.name == option), None)


@dataclass(frozen=True, slots=True)
class Match(Extension):
    """``-m name …``: a condition."""


@dataclass(frozen=True, slots=True)
class Target(Extension):
    """``-j name …``: what happens to a packet that matches; ``name`` may be a chain. With ``goto`` it is ``-g``."""

    goto: bool = False


@dataclass(slots=True)
class Rule:
    """One rule. Two rules are equal when they say the same; counters do not count."""

    matches: tuple[Match, ...] = ()
    target: Target | None = None
    source: Field | None = None
    destination: Field | None = None
    in_interface: Field | None = None
    out_interface: Field | None = None
    protocol: Field | None = None
    packets: int = field(default=0, compare=False)
    bytes: int = field(default=0, compare=False)

    @property
    def comment(self) -> str:
        """The text of the comment match, empty when there is none."""
        match = self.match("comment")
        return (match.get("--comment") or "") if match else ""

    def match(self, name: str) -> Match | None:
        """The first match of that name, or None."""
        return next((match for match in self.matches if match.name == name), None)


@dataclass(slots=True)
class Chain:
    """Rules in order. ``policy`` is ``ACCEPT`` or ``DROP`` for a built-in chain, ``-`` for any other.

    ``rules`` is a tuple: it is replaced, never changed, so what is derived from it can be kept.
    """

    name: str
    policy: str = "-"
    rules: tuple[Rule, ...] = ()
    packets: int = field(default=0, compare=False)
    bytes: int = field(default=0, compare=False)
    compiled: tuple[tuple[Rule, ...], Any] | None = field(default=None, compare=False, repr=False)
    """What `kubelab.rules.walk` made of the rules, beside the rules that it was made of."""

    @property
    def built_in(self) -> bool:
        """Whether the kernel calls it."""
        return self.policy != "-"


@dataclass(slots=True)
class Table:
    """Chains by name."""

    name: str
    chains: dict[str, Chain] = field(default_factory=dict)

    @classmethod
    def empty(cls, name: str) -> Table:
        """The table as the kernel makes it: its built-in chains, policy ACCEPT, no rules."""
        return cls(name, {chain: Chain(chain, "ACCEPT") for chain in BUILT_IN_CHAINS[name]})

    def in_order(self) -> Iterator[Chain]:
        """The chains as ``iptables-save`` orders them: built-in ones by hook, then the others by name."""
        built_in = BUILT_IN_CHAINS[self.name]
        yield from (self.chains[name] for name in built_in)
        yield from (self.chains[name] for name in sorted(self.chains) if name not in built_in)
