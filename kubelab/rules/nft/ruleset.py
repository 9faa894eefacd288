"""All nftables of one network namespace, changed by scripts as ``nft -f`` changes them: all of a script, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from kubelab.rules.nft.model import Chain, Table
from kubelab.rules.nft.script import Script
from kubelab.rules.nft.transaction import Transaction

Key = tuple[str, str]
"""Family and name of a table."""


@dataclass
class NftRuleset:
    """Tables by family and name. ``now`` is the clock by which elements run out, in seconds."""

    tables: dict[Key, Table] = field(default_factory=dict)
    now: Callable[[], float] = monotonic
    _made: int = 0
    _at: dict[str, tuple[tuple[int, Table, Chain], ...]] = field(default_factory=dict)

    def run(self, text: str, *, check: bool = False, located: bool = True) -> None:
        """Carry out the commands of a script, or with ``check`` only find out whether they could be.

        Raises `NftError`; nothing is changed then. ``located``: whether errors name line and column.
        """
        script = Script(text, located=located)
        transaction = Transaction(self.tables, self._made, script, self.now)
        for command in script.commands():
            transaction.do(command)
        transaction.finish()
        if not check:
            self.tables, self._made = transaction.tables, transaction.made
            self._at = {}

    def at(self, hook: str) -> tuple[tuple[int, Table, Chain], ...]:
        """Priority, table and base chain of what IPv4 packets meet at a hook, in the order in which it is called.

        Of two with the same priority the one made later is called first (as nf_hook_entries_grow inserts them).
        """
        found = self._at.get(hook)
        if found is None:
            met = [
                (chain.hook.priority, table, chain)
                for table in self.tables.values()
                for chain in table.chains.values()
                if chain.hook is not None and chain.hook.hook == hook and table.family in ("ip", "inet")
            ]
            met.reverse()
            found = self._at[hook] = tuple(sorted(met, key=lambda each: each[0]))
        return found
