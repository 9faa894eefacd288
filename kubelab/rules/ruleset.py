"""All tables of one node, changed and printed as ``iptables-restore`` and ``iptables-save`` do it."""

from __future__ import annotations

from collections.abc import Iterator

from kubelab.rules.line import print_rule
from kubelab.rules.model import BUILT_IN_CHAINS, Chain, Rule, Table
from kubelab.rules.restore import Restore


class Ruleset:
    """Tables by name; a table is there once something has named it."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}

    def chain(self, table: str, name: str) -> Chain | None:
        """The chain, or None."""
        found = self.tables.get(table)
        return found.chains.get(name) if found else None

    def rules(self) -> Iterator[tuple[Table, Chain, Rule]]:
        """Every rule with where it stands, in the order of `save`."""
        for table in self._in_order():
            for chain in table.in_order():
                for rule in chain.rules:
                    yield table, chain, rule

    def restore(self, text: str, *, noflush: bool = True, counters: bool = False, strict: bool = True) -> None:
        """Carry out the text of ``iptables-restore``.

        Every table is changed as a whole at its ``COMMIT``, or not at all. Without ``noflush`` a table that the text
        names is emptied first; with ``counters`` the ``[packets:bytes]`` of the text are taken over. Raises
        `RestoreError`; tables that were committed before the bad line stay changed, as in the kernel.
        """
        Restore(self.tables, noflush=noflush, counters=counters, strict=strict).run(text)

    def save(self, table: str | None = None, *, counters: bool = False) -> str:
        """What ``iptables-save`` prints, without its two lines of date."""
        return "".join(_save(found, counters) for found in self._in_order() if table in (None, found.name))

    def commands(self, table: str = "filter", chain: str | None = None) -> str:
        """What ``iptables -t table -S [chain]`` prints. An unknown chain is a `KeyError`."""
        found = self.tables.get(table) or Table.empty(table)
        chains = [found.chains[chain]] if chain else list(found.in_order())
        lines = [f"-P {each.name} {each.policy}" if each.built_in else f"-N {each.name}" for each in chains]
        lines += [_rule_line(each.name, rule, "") for each in chains for rule in each.rules]
        return "".join(f"{line}\n" for line in lines)

    def _in_order(self) -> list[Table]:
        return [self.tables[name] for name in BUILT_IN_CHAINS if name in self.tables]


def parse(text: str) -> Ruleset:
    """The rules in the output of ``iptables-save`` (with or without counters) or the input of ``iptables-restore``.

    Matches and targets that the model does not know are kept as they are. Raises `RestoreError`.
    """
    ruleset = Ruleset()
    ruleset.restore(text, noflush=False, counters=True, strict=False)
    return ruleset


def _save(table: Table, counters: bool) -> str:
    lines = [f"*{table.name}"]
    lines += [f":{chain.name} {chain.policy} [{chain.packets}:{chain.bytes}]" for chain in table.in_order()]
    for chain in table.in_order():
        for rule in chain.rules:
            lines.append(_rule_line(chain.name, rule, f"[{rule.packets}:{rule.bytes}] " if counters else ""))
    return "\n".join([*lines, "COMMIT", ""])


def _rule_line(chain: str, rule: Rule, counters: str) -> str:
    text = print_rule(rule)
    return f"{counters}-A {chain} {text}" if text else f"{counters}-A {chain}"
