"""Text for ``iptables-restore`` while it is being written."""

from __future__ import annotations

from collections.abc import Iterable


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

    def rule(self, chain: str, *parts: str, comment: str = "", write: bool = True) -> None:
        """Append a rule; a comment stands first, as kube-proxy has it. Without ``write`` it is only counted."""
        self.counted += 1
        if write:
            words = [f'-m comment --comment "{comment}"' if comment else "", *parts]
            self.rules.append(" ".join(["-A", chain, *(word for word in words if word)]))

    def delete(self, chain: str) -> None:
        """Empty and delete a chain."""
        self.chains.append(chain)
        self.deletions.append(chain)

    def text(self) -> str:
        """``*table`` … ``COMMIT``."""
        lines = [f"*{self.table}", *chain_lines(self.chains), *self.rules]
        lines += [f"-X {chain}" for chain in self.deletions]
        return "\n".join([*lines, "COMMIT", ""])


def chain_lines(chains: Iterable[str]) -> list[str]:
    """``:NAME - [0:0]``, which also empties a chain that is there."""
    return [f":{chain} - [0:0]" for chain in chains]
