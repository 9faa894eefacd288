"""How packets get into kube-proxy's chains: jumps at the head of the built-in chains, and the canaries beside them.

kube-proxy makes each with a command of its own; here the missing ones become part of the one ``iptables-restore``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kubelab.engine.proxy.script import chain_lines, transaction

CANARY = "KUBE-PROXY-CANARY"
CANARY_TABLES = ("mangle", "nat", "filter")

_NEW = "-m conntrack --ctstate NEW"


class Jump(NamedTuple):
    """One rule in a built-in chain."""

    table: str
    built_in: str
    chain: str
    match: str = ""
    comment: str = ""

    def rule(self) -> str:
        """What follows ``-I CHAIN``, also as ``iptables-save`` shows it."""
        comment = f'-m comment --comment "{self.comment}"' if self.comment else ""
        return " ".join(part for part in (self.match, comment, f"-j {self.chain}") if part)

    def saved(self) -> str:
        """The line of ``iptables-save``."""
        return f"-A {self.built_in} {self.rule()}"


class Owned(NamedTuple):
    """What a mode has in iptables' tables."""

    jumps: tuple[Jump, ...] = ()
    chains: frozenset[tuple[str, str]] = frozenset()
    """Table and name of the chains that are always there, the canaries among them."""
    prefixes: tuple[str, ...] = ()
    """What the names of its other chains, all of the nat table, begin with."""


JUMPS = (
    Jump("filter", "INPUT", "KUBE-EXTERNAL-SERVICES", _NEW, "kubernetes externally-visible service portals"),
    Jump("filter", "FORWARD", "KUBE-EXTERNAL-SERVICES", _NEW, "kubernetes externally-visible service portals"),
    Jump("filter", "INPUT", "KUBE-NODEPORTS", "", "kubernetes health check service ports"),
    Jump("filter", "FORWARD", "KUBE-SERVICES", _NEW, "kubernetes service portals"),
    Jump("filter", "OUTPUT", "KUBE-SERVICES", _NEW, "kubernetes service portals"),
    Jump("filter", "FORWARD", "KUBE-FORWARD", "", "kubernetes forwarding rules"),
    Jump("filter", "INPUT", "KUBE-PROXY-FIREWALL", _NEW, "kubernetes load balancer firewall"),
    Jump("filter", "OUTPUT", "KUBE-PROXY-FIREWALL", _NEW, "kubernetes load balancer firewall"),
    Jump("filter", "FORWARD", "KUBE-PROXY-FIREWALL", _NEW, "kubernetes load balancer firewall"),
    Jump("nat", "OUTPUT", "KUBE-SERVICES", "", "kubernetes service portals"),
    Jump("nat", "PREROUTING", "KUBE-SERVICES", "", "kubernetes service portals"),
    Jump("nat", "POSTROUTING", "KUBE-POSTROUTING", "", "kubernetes postrouting rules"),
    Jump("filter", "INPUT", "KUBE-FIREWALL"),
    Jump("filter", "OUTPUT", "KUBE-FIREWALL"),
)
"""In the order in which they are made: each goes to the head, so the last stands first."""


def missing_jumps(saved: str, jumps: Iterable[Jump] = JUMPS, *, canary: str = CANARY) -> str:
    """Restore text that makes what ``iptables-save`` does not show: jumps, the chains they lead to, and the canaries.

    An empty ``canary``: the mode has none.
    """
    lines, wanted = _lines_by_table(saved), tuple(jumps)
    text = ""
    for table in CANARY_TABLES:
        there = lines.get(table, set())
        absent = [jump for jump in wanted if jump.table == table and jump.saved() not in there]
        chains = dict.fromkeys([*([canary] if canary else []), *(jump.chain for jump in absent)])
        made = [f"-N {chain}" for chain in chains if f":{chain}" not in there]
        inserted = [f"-I {jump.built_in} {jump.rule()}" for jump in absent]
        if made or inserted:
            text += transaction(table, [*made, *inserted])
    return text


def removal(saved: str, owned: Owned, keep: Owned) -> str:
    """Restore text that removes from the tables in ``iptables-save`` what one mode owns and another does not."""
    text = ""
    for table, there in _lines_by_table(saved).items():
        jumps = [each for each in owned.jumps if each.table == table and each not in keep.jumps]
        chains = [name for name in _chains(there) if _owns(owned, table, name) and not _owns(keep, table, name)]
        lines = [f"-D {each.built_in} {each.rule()}" for each in jumps if each.saved() in there]
        lines += [*chain_lines(chains), *(f"-X {name}" for name in chains)]
        if lines:
            text += transaction(table, lines)
    return text


def _owns(owned: Owned, table: str, chain: str) -> bool:
    return (table, chain) in owned.chains or (table == "nat" and chain.startswith(owned.prefixes))


def _chains(lines: Iterable[str]) -> list[str]:
    return sorted(line[1:] for line in lines if line.startswith(":"))


def nat_chains(saved: str) -> list[str]:
    """The chains of the nat table in the output of ``iptables-save``."""
    return _chains(_lines_by_table(saved).get("nat", ()))


def _lines_by_table(saved: str) -> dict[str, set[str]]:
    """Table → its rules, and its chains as ``:NAME``."""
    tables: dict[str, set[str]] = {}
    current: set[str] = set()
    for line in saved.splitlines():
        if line.startswith("*"):
            current = tables.setdefault(line[1:], set())
        elif line.startswith(":"):
            current.add(line.partition(" ")[0])
        elif line.startswith("-A"):
            current.add(line)
    return tables


def canary_gone(saved_tables: Iterable[str]) -> bool:
    """Whether the canary is missing in every one of the tables' listings."""
    return not any(f":{CANARY} " in saved for saved in saved_tables)
