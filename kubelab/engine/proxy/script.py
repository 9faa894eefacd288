"""Text for ``iptables-restore`` while it is being written."""

from __future__ import annotations

from collections.abc import Iterable

Block = list[str]
"""Lines of one table that should come together."""


class TableScript:
    """One table: the chains it rewrites and their rules, each in the order in which they were written."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.chains: list[str] = []
        self.rules: list[str] = []
        self.deletions: list[str] = []
        self.counted = 0
        """Rules that belong to the table, also those that a partial sync leaves as they are in the kernel."""

    def chain(self, name: str) -> None:
        """Make the chain, or empty it."""
        self.chains.append(name)

    def rule(self, chain: str, *parts: str, comment: str = "") -> None:
        """Append a rule; a comment stands first, as kube-proxy has it."""
        words = [f'-m comment --comment "{comment}"' if comment else "", *parts]
        self.rules.append(" ".join(["-A", chain, *(word for word in words if word)]))
        self.counted += 1

    def delete(self, chain: str) -> None:
        """Empty and delete a chain."""
        self.chains.append(chain)
        self.deletions.append(chain)

    def by_chain(self) -> dict[str, Block]:
        """The rules of every chain that has any."""
        found: dict[str, Block] = {}
        for rule in self.rules:
            found.setdefault(rule.split(" ", 2)[1], []).append(rule)
        return found

    def text(self) -> str:
        """``*table`` … ``COMMIT``; nothing when there is nothing to do."""
        lines = [*chain_lines(self.chains), *self.rules, *(f"-X {chain}" for chain in self.deletions)]
        return transaction(self.table, lines) if lines else ""


def transaction(table: str, lines: Iterable[str]) -> str:
    """Lines between ``*table`` and ``COMMIT``."""
    return "\n".join([f"*{table}", *lines, "COMMIT", ""])


def chain_lines(chains: Iterable[str]) -> Block:
    """``:NAME - [0:0]``, which also empties a chain that is there."""
    return [f":{chain} - [0:0]" for chain in chains]
