"""``nft list ruleset`` (or one table), in words or as JSON, as chains for the tracer."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from kubelab.rules.nft.sets import NftSet
from kubelab.rules.nft.syntax import read_rule
from kubelab.rules.nft.words import unquote
from kubelab.trace.errors import CannotRead
from kubelab.trace.nft_rule import NftRule
from kubelab.trace.program import BaseChain, Firewall, TraceChain

_OPEN = re.compile(r"(table|set|map|chain|flowtable|counter|quota|limit|secmark|synproxy|ct \w+) (.+?) \{")
_HOOK = re.compile(r"type (\S+) hook (\S+)(?: device \S+)? priority ([^;]+);(?: policy (\S+);)?")
_ELEMENTS = re.compile(r"elements = \{")

PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
"""Names of priorities in the families ip, ip6 and inet (nft(8))."""


@dataclass
class NftTable:
    """One table: chains, sets and maps by name."""

    family: str
    name: str
    chains: dict[str, TraceChain] = field(default_factory=dict)
    rules: dict[str, list[NftRule]] = field(default_factory=dict)
    sets: dict[str, NftSet] = field(default_factory=dict)
    bases: list[BaseChain] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @cached_property
    def label(self) -> str:
        """``ip kube-proxy``."""
        return f"{self.family} {self.name}"

    def chain(self, name: str) -> list[NftRule]:
        """The rules of a chain, which is made if need be."""
        if name not in self.chains:
            self.rules[name] = []
            self.chains[name] = TraceChain(name, self.rules[name])
        return self.rules[name]

    def hook(self, chain: str, kind: str, hook: str, priority: int, policy: str) -> None:
        """The chain is called at a hook."""
        self.chain(chain)
        if self.family in ("ip", "ip6", "inet"):
            self.bases.append(
                BaseChain("nft", self.family, self.label, self.chains[chain], hook.upper(), priority,
                          kind == "nat", policy == "drop", self.chains)
            )  # fmt: skip


def read_nft(text: str, *, covered: Collection[tuple[str, str]] = ()) -> Firewall:
    """The tables of an ``nft`` listing. Raises `CannotRead`.

    ``covered``: family and name of iptables' tables that are known from ``iptables-save``. Where iptables-nft keeps
    them in nftables they are left out here, they would be walked twice otherwise.
    """
    tables = _from_json(text) if text.lstrip().startswith("{") else _from_words(text)
    firewall = Firewall()
    for table in tables:
        if (table.family, table.name) in covered:
            continue
        firewall.bases += table.bases
        firewall.notes += table.notes
    if not tables and text.strip():
        raise CannotRead("This is not the output of `nft list ruleset` or `nft list table`: it has no table.")
    return firewall


def _from_json(text: str) -> list[NftTable]:
    try:
        entries = json.loads(text)["nftables"]
    except (ValueError, KeyError, TypeError) as error:
        raise CannotRead(f"This is not the output of `nft -j list ruleset`: {error}.") from error
    tables: dict[tuple[str, str], NftTable] = {}
    for number, entry in enumerate(entries, 1):
        try:
            kind, said = next(iter(entry.items()))
            if kind == "table":
                tables[said["family"], said["name"]] = NftTable(said["family"], said["name"])
            elif "table" in said:
                key = said["family"], said["table"]
                _json_object(tables.setdefault(key, NftTable(*key)), kind, said)
        except (AttributeError, KeyError, TypeError, ValueError, StopIteration) as error:
            raise CannotRead(f"Entry {number} of `nft -j list` is not understood: {str(entry)[:80]}.") from error
    return list(tables.values())


def _json_object(table: NftTable, kind: str, said: dict[str, Any]) -> None:
    if kind in ("set", "map"):
        table.sets[said["name"]] = NftSet(said["name"], elements=said.get("elem", []))
    elif kind == "chain" and "hook" in said:
        table.hook(said["name"], said["type"], said["hook"], int(said["prio"]), said.get("policy", "accept"))
    elif kind == "chain":
        table.chain(said["name"])
    elif kind == "rule":
        rules = table.chain(said["chain"])
        rules.append(NftRule(len(rules) + 1, table.chains, table.sets, (said["expr"], said.get("comment", ""))))


def _from_words(text: str) -> list[NftTable]:
    found: list[NftTable] = []
    table: NftTable | None = None
    kind = name = ""
    body: list[str] = []
    depth = 0
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        opened = _OPEN.fullmatch(stripped) if depth < 2 else None
        if depth == 0:
            if opened is None or opened[1] != "table":
                raise CannotRead(f"This is not the output of `nft list`: {stripped[:60]!r} stands in no table.")
            family, _, label = opened[2].rpartition(" ")
            table = NftTable(family or "ip", unquote(label))
            found.append(table)
            depth = 1
        elif depth == 1 and opened is not None:
            kind, name, body, depth = opened[1], unquote(opened[2]), [], 2
        elif stripped == "}" and depth:
            depth -= 1
            if depth == 1 and table is not None:
                _object(table, kind, name, body)
        elif depth == 2:
            body.append(stripped)
    if depth and table is not None:
        where = f" in {kind} {name}" if depth > 1 else ""
        table.notes.append(f"table {table.label} has no end: the text may be cut off{where}.")
        if depth > 1:
            _object(table, kind, name, body)
    return found


def _braced(text: str) -> str:
    """What stands before the closing brace, or all that there is of a text that is cut off."""
    return text.rpartition("}")[0] or text


def _object(table: NftTable, kind: str, name: str, body: list[str]) -> None:
    if kind in ("set", "map"):
        whole = " ".join(body)
        opening = _ELEMENTS.search(whole)
        table.sets[name] = NftSet(name, text=_braced(whole[opening.end() :]) if opening else "")
        return
    if kind != "chain":
        return
    rules = table.chain(name)
    for line in _joined(body):
        if base := _HOOK.match(line):
            table.hook(name, base[1], base[2], _priority(base[3]), base[4] or "accept")
        elif not re.fullmatch(r'comment "[^"]*"', line):
            rules.append(NftRule(len(rules) + 1, table.chains, table.sets, text=line, read=read_rule))


def _joined(lines: list[str]) -> list[str]:
    """Lines, with those put together that a set in braces is spread over."""
    found: list[str] = []
    open_braces = 0
    for line in lines:
        if open_braces > 0:
            found[-1] += f" {line}"
        else:
            found.append(line)
        open_braces += line.count("{") - line.count("}")
    return found


def _priority(text: str) -> int:
    name, *rest = text.split()
    try:
        base = PRIORITIES[name] if name in PRIORITIES else int(name)
        return base + (int("".join(rest)) if rest else 0)
    except ValueError as error:
        raise CannotRead(f"{text!r} is no priority of a chain in `nft list`.") from error
