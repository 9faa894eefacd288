"""A packet's way through a node's rules: hook by hook, table by table, as the kernel calls them.

A node's rules are those of iptables and of nftables; the kernel calls them by their priorities.
A packet that arrives passes PREROUTING and then INPUT (for the node itself) or FORWARD and POSTROUTING. One that a
process on the node sends passes OUTPUT and POSTROUTING, and when it is for the node itself it comes in again by ``lo``.
The nat table is asked for the first packet of a connection only, once for the destination and once for the source.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Literal

from kubelab.rules import values
from kubelab.rules.judge import CannotJudge, Check, checks
from kubelab.rules.model import Chain, Rule, Table, Target
from kubelab.rules.nft.asking import ask
from kubelab.rules.nft.model import Chain as NftChain
from kubelab.rules.nft.model import Table as NftTable
from kubelab.rules.nft.references import DEEPEST_JUMP
from kubelab.rules.nft.ruleset import NftRuleset
from kubelab.rules.packet import Decided, Hop, Kind, Memory, Packet, Verdict
from kubelab.rules.ruleset import Ruleset
from kubelab.rules.underway import Underway

Origin = Literal["forwarded", "local"]

_TABLES_AT = {
    "PREROUTING": ((-300, "raw"), (-150, "mangle"), (-100, "nat")),
    "INPUT": ((-150, "mangle"), (0, "filter"), (50, "security"), (100, "nat")),
    "FORWARD": ((-150, "mangle"), (0, "filter"), (50, "security")),
    "OUTPUT": ((-300, "raw"), (-150, "mangle"), (-100, "nat"), (0, "filter"), (50, "security")),
    "POSTROUTING": ((-150, "mangle"), (100, "nat")),
}
"""The tables of iptables at each hook, with their priorities (include/uapi/linux/netfilter_ipv4.h)."""


def walk(
    ruleset: Ruleset,
    packet: Packet,
    *,
    origin: Origin,
    is_local: Callable[[str], bool],
    draw: Callable[[], float] = random.random,
    memory: Memory | None = None,
    out_interface: Callable[[str], str] | None = None,
    count: bool = False,
    nft: NftRuleset | None = None,
) -> Verdict:
    """Take a connection's first packet through the rules.

    ``origin``: ``forwarded`` for a packet that arrives from a pod or from outside, ``local`` for one that a process on
    the node sends. ``is_local`` says whether an address is one of the node's own (127.0.0.0/8 always is).
    ``draw`` gives numbers in [0, 1) for the ``statistic`` match, ``memory`` holds what ``recent`` remembers between
    packets, ``out_interface`` names the interface towards an address (without it no ``-o`` matches). With ``count``
    the counters of rules and chains are raised as the kernel does. ``nft`` are the node's nftables; of two base chains
    with the same priority those are called first. (They are no hops.)
    """
    return _Walk(ruleset, nft, packet, is_local, draw, memory or Memory(), out_interface, count).run(origin)


class _Walk(Underway):
    """One packet through all tables."""

    def __init__(
        self,
        ruleset: Ruleset,
        nft: NftRuleset | None,
        packet: Packet,
        is_local: Callable[[str], bool],
        draw: Callable[[], float],
        memory: Memory,
        out_interface: Callable[[str], str] | None,
        count: bool,
    ) -> None:
        super().__init__(packet, is_local, draw, memory, packet.length if count else 0)
        self._ruleset = ruleset
        self._nft = nft if nft is not None and nft.tables else None
        self._towards = out_interface
        self._count = count
        self._hops: list[Hop] = []
        self._table = ""

    def run(self, origin: Origin) -> Verdict:
        kind: Kind = "accept"
        reason = ""
        try:
            if origin == "local":
                self._at("OUTPUT")
                self._leave()
                if self.is_local(self.dst):
                    self.in_interface, self.out_interface = "lo", ""
                    self._at("PREROUTING")
                    self._at("INPUT")
            else:
                self._at("PREROUTING")
                if self.is_local(self.dst):
                    self._at("INPUT")
                else:
                    self._choose_interface()
                    self._at("FORWARD")
                    self._leave()
        except Decided as decided:
            kind, reason = decided.kind, decided.reason
        return Verdict(kind, self.packet(), self.masquerade, self.is_local(self.dst), reason, tuple(self._hops))

    def _choose_interface(self) -> None:
        self.out_interface = self._towards(self.dst) if self._towards else ""

    def _leave(self) -> None:
        self._choose_interface()
        self._at("POSTROUTING")

    def _at(self, hook: str) -> None:
        self.hook = hook
        side = "destination" if hook in ("PREROUTING", "OUTPUT") else "source"
        for _, name, based in self._called(hook):
            table = None if based else self._ruleset.tables.get(name)
            nat = name == "nat"
            if nat and ("NEW" not in self.states or self.translated[side]):
                continue
            self._table = name
            if based:
                self._based(*based)
            elif table is not None:
                self._built_in(table, table.chains[hook])
        if hook != "FORWARD":
            self.translated[side] = True  # whether a rule has spoken or not

    def _called(self, hook: str) -> Iterable[tuple[int, str, tuple[NftTable, NftChain] | None]]:
        """Priority, kind (or iptables' table) and nftables' base chain, in the order in which the kernel calls them."""
        ours: list[tuple[int, str, tuple[NftTable, NftChain] | None]]
        ours = [(priority, name, None) for priority, name in _TABLES_AT[hook]]
        if self._nft is None:
            return ours
        theirs = [(priority, chain.hook.kind if chain.hook else "", (table, chain))
                  for priority, table, chain in self._nft.at(hook)]  # fmt: skip
        return sorted([*theirs, *ours], key=lambda each: each[0])

    def _based(self, table: NftTable, chain: NftChain) -> None:
        """A base chain of nftables: rules, then its policy."""
        try:
            accepted = ask(self, table, chain)
        except CannotJudge as unknown:
            raise Decided("unknown", f"nftables {table.label} {chain.name}: {unknown}") from None
        if not accepted and chain.hook is not None and chain.hook.policy == "drop":
            raise Decided("drop")

    def _built_in(self, table: Table, chain: Chain) -> None:
        if self._run(table, chain, 1):
            return
        if self._count:
            chain.packets += 1
            chain.bytes += self.first.length
        self._note(chain, 0, None, chain.policy.lower())
        if chain.policy == "DROP":
            raise Decided("drop")

    def _run(self, table: Table, chain: Chain, depth: int) -> bool:
        """Whether a rule ended the walk through this table (otherwise the chain ran out or returned)."""
        if depth > DEEPEST_JUMP:
            raise Decided("drop", f"jumps are nested deeper than {DEEPEST_JUMP} chains at {chain.name}")
        for number, (asks, rule) in enumerate(_compiled(chain), 1):
            try:
                for ask in asks:
                    if not ask(self):
                        break
                else:
                    if self._count:
                        rule.packets += 1
                        rule.bytes += self.first.length
                    outcome = self._apply(table, chain, number, rule, depth)
                    if outcome is not None:
                        return outcome
            except CannotJudge as unknown:
                self._note(chain, number, rule, "cannot be judged")
                raise Decided("unknown", f"{table.name} {chain.name} rule {number}: {unknown}") from None
        return False

    def _apply(self, table: Table, chain: Chain, number: int, rule: Rule, depth: int) -> bool | None:
        """Do what the target says: True ends the table, False leaves the chain, None goes on with the next rule."""
        target = rule.target
        if target is None:
            self._note(chain, number, rule, "count")
            return None
        into = table.chains.get(target.name)
        if into is not None:
            self._note(chain, number, rule, f"{'goto' if target.goto else 'jump'} {target.name}")
            ended = self._run(table, into, depth + 1)
            return ended if ended or target.goto else None
        act = _TARGETS.get(target.name)
        if act is None:
            raise CannotJudge(f"the target '{target.name}' is not part of this model")
        return act(self, chain, number, rule, target)

    def _note(self, chain: Chain, number: int, rule: Rule | None, did: str) -> None:
        self._hops.append(Hop(self.hook, self._table, chain.name, number, rule, did, self.packet()))

    def _accept(self, chain: Chain, number: int, rule: Rule, target: Target) -> bool:
        self._note(chain, number, rule, "accept")
        return True

    def _drop(self, chain: Chain, number: int, rule: Rule, target: Target) -> bool:
        self._note(chain, number, rule, "drop")
        raise Decided("drop")

    def _reject(self, chain: Chain, number: int, rule: Rule, target: Target) -> bool:
        self._note(chain, number, rule, "reject")
        raise Decided("reject", target.get("--reject-with") or "icmp-port-unreachable")

    def _return(self, chain: Chain, number: int, rule: Rule, target: Target) -> bool:
        self._note(chain, number, rule, "return")
        return False

    def _go_on(self, chain: Chain, number: int, rule: Rule, target: Target) -> None:
        self._note(chain, number, rule, target.name.lower())

    def _set_mark(self, chain: Chain, number: int, rule: Rule, target: Target) -> None:
        value, mask = values.masked(target.get("--set-xmark") or "0")
        self.mark = (self.mark & ~mask & values.FULL_MASK) ^ value
        self._note(chain, number, rule, f"mark {self.mark:#x}")

    def _masquerade(self, chain: Chain, number: int, rule: Rule, target: Target) -> bool:
        self.masquerading()
        self._note(chain, number, rule, "masquerade")
        return True

    def _dnat(self, chain: Chain, number: int, rule: Rule, target: Target) -> bool:
        self.to_destination(*self._translate(target.get("--to-destination") or ""))
        self._note(chain, number, rule, f"dnat {_endpoint(self.dst, self.dport)}")
        return True

    def _snat(self, chain: Chain, number: int, rule: Rule, target: Target) -> bool:
        self.to_source(*self._translate(target.get("--to-source") or ""))
        self._note(chain, number, rule, f"snat {_endpoint(self.src, self.sport)}")
        return True

    def _redirect(self, chain: Chain, number: int, rule: Rule, target: Target) -> bool:
        self.to_this_node(self.pick("", target.get("--to-ports") or "")[1])
        self._note(chain, number, rule, f"dnat {_endpoint(self.dst, self.dport)}")
        return True

    def _translate(self, text: str) -> tuple[str, int]:
        return self.pick(*values.split_destination(text))


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _compiled(chain: Chain) -> tuple[tuple[tuple[Check, ...], Rule], ...]:
    if chain.compiled is None or chain.compiled[0] is not chain.rules:
        chain.compiled = (chain.rules, tuple((checks(rule), rule) for rule in chain.rules))
    program: tuple[tuple[tuple[Check, ...], Rule], ...] = chain.compiled[1]
    return program


_TARGETS: dict[str, Callable[[_Walk, Chain, int, Rule, Target], bool | None]] = {
    "ACCEPT": _Walk._accept,
    "DROP": _Walk._drop,
    "REJECT": _Walk._reject,
    "RETURN": _Walk._return,
    "LOG": _Walk._go_on,
    "TRACE": _Walk._go_on,
    "MARK": _Walk._set_mark,
    "MASQUERADE": _Walk._masquerade,
    "DNAT": _Walk._dnat,
    "SNAT": _Walk._snat,
    "REDIRECT": _Walk._redirect,
}
