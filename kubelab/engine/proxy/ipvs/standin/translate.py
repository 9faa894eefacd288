"""The iptables rules of a plan, said in nft's language: rule by rule, with the same comments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from kubelab.engine.proxy.ipvs.sets import IpSet
from kubelab.engine.proxy.script import TableScript
from kubelab.rules.line import split

TRANSPORTS = "{ tcp , udp , sctp }"
"""What has ports in the sets."""


class NftRule(NamedTuple):
    """One rule without its chain."""

    rule: str
    comment: str = ""

    def text(self) -> str:
        """As ``nft`` reads it."""
        return f'{self.rule} comment "{self.comment}"' if self.comment else self.rule


def chain_name(table: str, chain: str) -> str:
    """``nat-KUBE-SERVICES``: the chains of iptables' tables stand in one nft table together."""
    return f"{table}-{chain}"


def translate(script: TableScript, sets: Mapping[str, IpSet], ip: str) -> dict[str, list[NftRule]]:
    """The rules of every chain of a table, in order. ``ip`` is the header's name, ``ip`` or ``ip6``.

    Raises ValueError for words that no rule of mode ``ipvs`` has.
    """
    by_name = {each.name: each for each in sets.values()}
    chains: dict[str, list[NftRule]] = {chain_name(script.table, chain): [] for chain in script.chains}
    for line in script.rules:
        _, chain, *words = split(line)
        chains[chain_name(script.table, chain)].append(_Translation(script.table, by_name, ip).rule(words))
    return chains


class _Translation:
    def __init__(self, table: str, sets: Mapping[str, IpSet], ip: str) -> None:
        self._table, self._sets, self._ip = table, sets, ip
        self._parts: list[str] = []
        self._comment = ""
        self._protocol = ""
        self._negated = False
        self._read: dict[str, Callable[[Iterator[str]], str]] = {
            "-s": lambda rest: f"{ip} saddr {self._not()}{next(rest)}",
            "-d": lambda rest: f"{ip} daddr {self._not()}{next(rest)}",
            "-i": lambda rest: f"iifname {self._not()}{next(rest).replace('+', '*')}",
            "-p": self._only,
            "-m": lambda rest: str(next(rest) and ""),
            "--comment": self._say,
            "--match-set": self._set,
            "--src-type": lambda rest: f"fib saddr type {self._not()}{next(rest).lower()}",
            "--dst-type": lambda rest: f"fib daddr type {self._not()}{next(rest).lower()}",
            "--mark": self._mark,
            "--ctstate": lambda rest: f"ct state {next(rest).lower()}",
            "--physdev-is-in": lambda rest: "",
            "--vaddr": lambda rest: f"{ip} daddr {next(rest)}",
            "--vproto": lambda rest: f"meta l4proto {next(rest)}",
            "--vport": lambda rest: f"th dport {next(rest)}",
            "-j": self._target,
        }

    def rule(self, words: list[str]) -> NftRule:
        if "--vaddr" in words:
            # "-s VIP" there says: sent by this node, which is what the chain sees only.
            at = words.index("-s")
            del words[at : at + 2]
        rest = iter(words)
        for word in rest:
            if word == "!":
                self._negated = True
            elif word in self._read:
                self._parts.append(self._read[word](rest))
                self._negated = False
            else:
                raise ValueError(f"{word!r} has no translation")
        return NftRule(" ".join(part for part in self._parts if part), self._comment)

    def _not(self) -> str:
        return "!= " if self._negated else ""

    def _only(self, rest: Iterator[str]) -> str:
        self._protocol = next(rest)
        return ""

    def _say(self, rest: Iterator[str]) -> str:
        self._comment = next(rest)
        return ""

    def _mark(self, rest: Iterator[str]) -> str:
        mark = next(rest).partition("/")[0]
        return f"mark and {mark} {'==' if self._negated else '!='} 0"

    def _set(self, rest: Iterator[str]) -> str:
        """A dimension of a set is an address or a port, of the packet's source or destination."""
        found, directions = self._sets[next(rest)], next(rest).split(",")
        kinds = found.type.partition(":")[2].split(",")
        fields = []
        for kind, direction in zip(kinds, directions, strict=True):
            side = "s" if direction == "src" else "d"
            if kind != "port":
                fields.append(f"{self._ip} {side}addr")
            else:
                fields += [*(["meta l4proto"] if len(kinds) > 1 else []), f"th {side}port"]
        condition = f"{' . '.join(fields)} @{found.name}"
        if "port" in kinds and (len(kinds) == 1 or self._protocol):
            condition = f"meta l4proto {self._protocol or TRANSPORTS} {condition}"
        return condition

    def _target(self, rest: Iterator[str]) -> str:
        name, *options = rest
        if name == "MARK":
            change, mark = options
            return f"mark set mark {'xor' if change == '--xor-mark' else 'or'} {mark}"
        if name == "MASQUERADE":
            return "masquerade fully-random" if options else "masquerade"
        if name == "ACCEPT" and self._table == "nat":
            return "return"  # out of the chain, and on to IPVS
        verdicts = {"ACCEPT": "accept", "RETURN": "return", "DROP": "drop", "REJECT": "reject"}
        return verdicts.get(name) or f"jump {chain_name(self._table, name)}"
