"""What a change comes to where the chains that all Services share are long: single rules instead of whole chains.

kube-proxy writes these chains anew at every sync, however little has changed. With 5,000 Services that is 5,000 rules,
and for a plain user more than one transaction holds, so that for a moment no Service would be there.
"""

from __future__ import annotations

from kubelab.engine.proxy.iptables import Compiled
from kubelab.engine.proxy.names import STALE_PREFIXES
from kubelab.engine.proxy.script import Block, TableScript


def difference(before: Compiled, after: Compiled) -> tuple[TableScript, TableScript]:
    """The filter and the nat table from ``before`` to ``after``, which was compiled for some changed ports."""
    nat = _table(before.nat, after.nat)
    for name, was in before.ports.items():
        port = after.ports.get(name)
        if port is not was:
            needed = port.chains if port else ()
            for chain in was.chains:
                if chain not in needed:
                    nat.delete(chain)
    return _table(before.filter, after.filter), nat


def _table(before: TableScript, after: TableScript) -> TableScript:
    script = TableScript(after.table)
    had, has = before.by_chain(), after.by_chain()
    for chain in after.chains:
        rules = has.get(chain, [])
        shared = not chain.startswith(STALE_PREFIXES)
        edits = _edits(had.get(chain, []), rules) if shared else None
        if edits is None:
            script.chain(chain)
        script.rules += rules if edits is None else edits
    return script


def _edits(before: Block, after: Block) -> Block | None:
    """Deletions and insertions that make one chain the other; None where they cannot be told apart."""
    old, new = set(before), set(after)
    kept = [rule for rule in before if rule in new]
    if len(old) < len(before) or len(new) < len(after) or kept != [rule for rule in after if rule in old]:
        return None
    deleted = [f"-D{rule[2:]}" for rule in before if rule not in new]
    return deleted + [_insertion(rule, place) for place, rule in enumerate(after, 1) if rule not in old]


def _insertion(rule: str, place: int) -> str:
    _, chain, rest = rule.split(" ", 2)
    return f"-I {chain} {place} {rest}"
