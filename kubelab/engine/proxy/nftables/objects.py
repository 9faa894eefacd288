"""What an nftables table is made of, and the statements by which a transaction changes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

TABLE = "kube-proxy"

Verb = Literal["add", "flush", "delete"]


class Words(NamedTuple):
    """How an address family is spelled."""

    ip: str
    """The table's family, and the header whose fields rules look at."""
    address: str
    """The type of an address in a set."""
    besides_localhost: str


WORDS = {
    4: Words("ip", "ipv4_addr", "ip daddr != 127.0.0.0/8"),
    6: Words("ip6", "ipv6_addr", "ip6 daddr != ::1"),
}


@dataclass(frozen=True)
class Chain:
    """A regular chain, or with a ``hook`` a base chain."""

    name: str
    hook: str = ""
    """``type filter hook input priority 0``."""
    comment: str = ""

    def text(self, verb: Verb, table: str) -> str:
        """``chain ip kube-proxy NAME { … }``, of which only ``add`` needs the braces."""
        parts = [self.hook, _comment(self.comment)] if verb == "add" else []
        return f"chain {table} {self.name}{_braces(parts)}"


@dataclass(frozen=True)
class Container:
    """A named set or map."""

    kind: Literal["set", "map"]
    name: str
    type: str
    comment: str = ""
    flags: str = ""
    timeout: int = 0
    """Seconds after which an element is forgotten; 0: never."""

    def text(self, verb: Verb, table: str) -> str:
        """``set ip kube-proxy NAME { type ipv4_addr ; … }``."""
        flags = f"flags {self.flags}" if self.flags else ""
        timeout = f"timeout {self.timeout}s" if self.timeout else ""
        parts = [f"type {self.type}", flags, timeout, _comment(self.comment)] if verb == "add" else []
        return f"{self.kind} {table} {self.name}{_braces(parts)}"


@dataclass(frozen=True)
class Element:
    """One element of a set, or with a ``value`` of a map."""

    container: str
    key: str
    """``10.96.0.10 . udp . 53``."""
    value: str = ""
    """``goto CHAIN`` or ``drop``."""
    comment: str = ""

    def text(self, verb: Verb, table: str) -> str:
        """``element ip kube-proxy MAP { KEY comment "c" : VALUE }``; a deletion names the key only."""
        parts = [self.key]
        if verb == "add":
            parts += [_comment(self.comment), f": {self.value}" if self.value else ""]
        return f"element {table} {self.container} {{ {' '.join(part for part in parts if part)} }}"


@dataclass(frozen=True)
class Rule:
    """One rule at the end of a chain."""

    chain: str
    rule: str
    comment: str = ""

    def text(self, verb: Verb, table: str) -> str:
        """``rule ip kube-proxy CHAIN RULE comment "c"``."""
        comment = f" {_comment(self.comment)}" if self.comment else ""
        return f"rule {table} {self.chain} {self.rule}{comment}"


Object = Chain | Container | Element | Rule


class Statement(NamedTuple):
    """One line of a transaction."""

    verb: Verb
    object: Object

    def line(self, family: int) -> str:
        """As ``nft -f -`` reads it."""
        return f"{self.verb} {self.object.text(self.verb, f'{WORDS[family].ip} {TABLE}')}"


def table_line(family: int) -> str:
    """The line that makes the table, if it is not there."""
    return f'add table {WORDS[family].ip} {TABLE} {{ comment "rules for kube-proxy" ; }}'


def _braces(parts: list[str]) -> str:
    inside = " ".join(f"{part} ;" for part in parts if part)
    return f" {{ {inside} }}" if inside else ""


def _comment(text: str) -> str:
    return f'comment "{text}"' if text else ""
