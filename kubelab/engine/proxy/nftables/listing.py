"""What the kernel's table holds now, of which a sync needs to know only a little."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from kubelab.engine.proxy.nftables.compiler import Table
from kubelab.engine.proxy.nftables.objects import WORDS


@dataclass(frozen=True)
class Listing:
    """Names of chains and of sets, and what the sets and maps hold."""

    chains: frozenset[str] = frozenset()
    sets: frozenset[str] = frozenset()
    elements: dict[str, dict[str, str]] = field(default_factory=dict)
    """Set or map → key → value; the value of a set's element is empty."""

    @classmethod
    def of(cls, table: Table) -> Listing:
        """As it is after a sync to this table."""
        sets = frozenset(each.name for each in table.containers.values() if each.kind == "set")
        elements = {
            container: {key: element.value for key, element in by_key.items()}
            for container, by_key in table.elements.items()
        }
        return cls(frozenset(table.chains), sets, elements)

    @classmethod
    def read(cls, text: str) -> Listing:
        """From the output of ``nft --json list table ip kube-proxy``; empty text is an empty table."""
        chains, sets, elements = set(), set(), {}
        for each in json.loads(text)["nftables"] if text.strip() else ():
            ((kind, what),) = each.items()
            if kind == "chain":
                chains.add(what["name"])
            elif kind in ("set", "map"):
                if kind == "set":
                    sets.add(what["name"])
                elements[what["name"]] = dict(map(_element, what.get("elem", ())))
        return cls(frozenset(chains), frozenset(sets), elements)


def list_command(family: int) -> list[str]:
    """What prints the text that `Listing.read` reads."""
    return ["nft", "--json", "list", "table", WORDS[family].ip, "kube-proxy"]


def _element(given: Any) -> tuple[str, str]:
    key, value = given if isinstance(given, list) else (given, None)
    if isinstance(key, dict) and "elem" in key:
        key = key["elem"]["val"]
    parts = key["concat"] if isinstance(key, dict) and "concat" in key else [key]
    return " . ".join(map(str, parts)), _verdict(value)


def _verdict(value: Any) -> str:
    if not isinstance(value, dict):
        return ""
    ((verdict, to),) = value.items()
    return f"{verdict} {to['target']}" if isinstance(to, dict) else verdict
