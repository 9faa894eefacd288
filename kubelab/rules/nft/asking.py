"""A packet before a base chain of nftables."""

from __future__ import annotations

from kubelab.rules.nft.model import Chain, Table
from kubelab.rules.nft.references import DEEPEST_JUMP
from kubelab.rules.nft.statements import ACCEPT, BROKEN, CONTINUE, RETURN, Changing, Verdict, steps
from kubelab.rules.packet import Decided


def ask(packet: Changing, table: Table, chain: Chain, depth: int = 1) -> bool:
    """Whether a rule of the chain accepts the packet; otherwise the chain has run out, or returned.

    Raises `Decided` when it is dropped or rejected, `CannotJudge`.
    """
    if depth > DEEPEST_JUMP:
        raise Decided("drop", f"jumps are nested deeper than {DEEPEST_JUMP} chains at {chain.name}")
    for rule in steps(chain):
        verdict: Verdict | None = None
        for step in rule:
            verdict = step(packet, table)
            if verdict is not None:
                break
        if verdict is None or verdict is BROKEN or verdict is CONTINUE:
            continue
        if verdict is ACCEPT:
            return True
        if verdict is RETURN:
            return False
        kind, word = verdict
        if kind == "goto":
            return ask(packet, table, table.chains[word], depth + 1)
        if kind != "jump":
            raise Decided("reject" if kind == "reject" else "drop", word)
        if ask(packet, table, table.chains[word], depth + 1):
            return True
    return False
