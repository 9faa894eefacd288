"""``iptables-save`` text as chains for the tracer (nft- and legacy-backed: they print the same).

Lines are read one by one when a packet reaches them, so that ten thousand rules cost little and a line of another
version spoils only itself.
"""

from __future__ import annotations

import re

from kubelab.rules.model import BUILT_IN_CHAINS
from kubelab.trace.errors import CannotRead
from kubelab.trace.iptables_rule import IptablesRule
from kubelab.trace.program import BaseChain, Firewall, TraceChain

_RULE = re.compile(r"(?:\[\d+:\d+\] )?-A (\S+)(?: (?:(?:! )?-s \S+ )?(?:-d ([0-9a-fA-F.:]+)/(32|128)(?= |$))?)?")

PRIORITIES = {"raw": -300, "mangle": -150, "nat": -100, "filter": 0, "security": 50}
"""Priorities of the tables (NF_IP_PRI_*); nat after a route is known has 100."""


_LEGACY = "there are rules in the old tables too, which are not in this text (iptables-legacy-save)."


class _Table:
    """One table while its text is read."""

    def __init__(self, name: str, family: str) -> None:
        self.name = name
        self.family = family
        self.chains: dict[str, TraceChain] = {}
        self.rules: dict[str, list[IptablesRule]] = {}
        self.policies: dict[str, str] = {}
        self.order: list[str] = []

    def declare(self, chain: str, policy: str) -> None:
        if chain not in self.chains:
            self.rules[chain] = []
            self.chains[chain] = TraceChain(chain, self.rules[chain])
        if policy in ("ACCEPT", "DROP"):
            self.policies[chain] = policy

    def bases(self) -> list[BaseChain]:
        """Its chains at hooks that can do something.

        Text to be restored need not name them. ``iptables-save`` names them whether or not the kernel has them, so one
        that is empty and accepts is left out: no packet can tell, and the kernel's own trace does not show it either.
        """
        built_in = BUILT_IN_CHAINS[self.name]
        for chain in built_in if not self.policies else ():
            self.declare(chain, "ACCEPT")
        found = []
        for chain in built_in:
            if chain in self.chains and (self.rules[chain] or self.policies.get(chain) == "DROP"):
                late = self.name == "nat" and chain in ("INPUT", "POSTROUTING")
                found.append(
                    BaseChain(
                        tool="iptables",
                        family=self.family,
                        table=self.name,
                        chain=self.chains[chain],
                        hook=chain,
                        priority=100 if late else PRIORITIES[self.name],
                        nat=self.name == "nat",
                        drops=self.policies.get(chain) == "DROP",
                        chains=self.chains,
                    )
                )
        return found


def read_iptables(text: str, family: str = "ip") -> Firewall:
    """The rules of ``iptables-save`` text (``ip6``: of ``ip6tables-save``), or of what is to be restored.

    A table that is cut off, a rule in a chain that is not declared and a table of an unknown name are noted and walked
    as far as they go. Raises `CannotRead` when the text holds no table at all.
    """
    firewall = Firewall()
    tables: dict[str, _Table] = {}
    table: _Table | None = None
    for at, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            if "legacy tables present" in line:
                firewall.notes.append(_LEGACY)
            continue
        if line.startswith("*"):
            if table is not None:
                firewall.notes.append(f"table {table.name} ends at line {at} without COMMIT: it may be incomplete.")
            name = line[1:].strip()
            table = tables.setdefault(name, _Table(name, family))
        elif table is None:
            raise CannotRead(f"Line {at} is no line of `iptables-save`: {line.strip()[:60]!r} stands in no table.")
        elif line.strip() == "COMMIT":
            table = None
        elif line.startswith(":"):
            name, policy, *_ = [*line[1:].split(), "-", "-"]
            table.declare(name, policy)
        else:
            _rule(firewall, table, line.strip(), at)
    if table is not None:
        firewall.notes.append(f"table {table.name} has no COMMIT: the text may be cut off.")
    if text.strip() and not tables and not text.lstrip().startswith("#"):
        raise CannotRead("This is not the output of `iptables-save`: it has no table.")
    for name, found in tables.items():
        if name in BUILT_IN_CHAINS:
            firewall.bases += found.bases()
        else:
            firewall.notes.append(f"table {name} is not one that a packet passes here: it is left out.")
    return firewall


def _rule(firewall: Firewall, table: _Table, line: str, at: int) -> None:
    found = _RULE.match(line)
    if found is None:
        firewall.notes.append(f"line {at} is passed over, it adds no rule: {line[:60]}")
        return
    chain = found[1]
    if chain not in table.chains:
        firewall.notes.append(f"table {table.name} has rules for chain {chain} (line {at}), but does not declare it.")
        table.declare(chain, "-")
    rules = table.rules[chain]
    rules.append(IptablesRule(line, len(rules) + 1, found[2], table.chains))
