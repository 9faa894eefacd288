"""Rules as lines under the chain, map, set or virtual server that holds them, from what each mode's tools print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_COUNTERS = re.compile(r"^\[\d+:\d+\] ")
_NFT_ADD = re.compile(r"add rule (?P<family>ip6?|inet) (?P<table>\S+) (?P<chain>\S+) (?P<rest>.*)")
_NFT_ELEMENT = re.compile(r"add element (?P<family>ip6?|inet) (?P<table>\S+) (?P<name>\S+) \{ (?P<rest>.*) \}")
_NFT_MAP = re.compile(r"add map (?:ip6?|inet) \S+ (?P<name>\S+) ")
_BLOCK = re.compile(r"(?P<kind>chain|map|set) (?P<name>\S+) \{")


class Raw(NamedTuple):
    """One line and what holds it."""

    kind: str
    """``chain``, ``map``, ``set``, ``virtual server``, ``ipset``."""
    table: str
    name: str
    text: str


def read_iptables(text: str) -> Iterator[Raw]:
    """``iptables-save`` or the input of ``iptables-restore``."""
    table = ""
    for line in text.splitlines():
        line = _COUNTERS.sub("", line.strip())
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith("-A "):
            yield Raw("chain", table, line.split()[1], line)


def read_nft_script(text: str) -> Iterator[Raw]:
    """The input of ``nft -f``, IPv4's."""
    maps = {found["name"] for found in _NFT_MAP.finditer(text)}
    for line in text.splitlines():
        if found := _NFT_ADD.match(line):
            if found["family"] != "ip6":
                yield Raw("chain", f"{found['family']} {found['table']}", found["chain"], found["rest"])
        elif (found := _NFT_ELEMENT.match(line)) and found["family"] != "ip6":
            kind = "map" if found["name"] in maps else "set"
            yield Raw(kind, f"{found['family']} {found['table']}", found["name"], found["rest"])


def read_nft_listing(text: str) -> Iterator[Raw]:
    """``nft list table``: blocks within a table."""
    table, kind, name, elements = "", "", "", ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("table "):
            table = " ".join(line.split()[1:3])
        elif found := _BLOCK.match(line):
            kind, name = found["kind"], found["name"]
        elif elements or line.startswith("elements = {"):
            elements += " " + line
            if line.endswith("}"):
                inner = elements.partition("{")[2].rpartition("}")[0]
                yield from (Raw(kind, table, name, each.strip()) for each in inner.split(",") if each.strip())
                elements = ""
        elif line == "}":
            kind = ""
        elif kind == "chain" and line and not line.startswith(("type ", "comment ")) and "ip6" not in table.split():
            yield Raw(kind, table, name, line)


def read_ipvs(servers: str, sets: str) -> Iterator[Raw]:
    """``ipvsadm -Sn`` (or the input of ``ipvsadm -R``) and ``ipset save`` (or the input of ``ipset restore``)."""
    for line in servers.splitlines():
        words = line.split()
        if len(words) > 2 and words[0] in ("-A", "-a"):
            yield Raw("virtual server", {"-t": "tcp", "-u": "udp"}.get(words[1], "sctp"), words[2], line)
    for line in sets.splitlines():
        words = line.split()
        if len(words) > 2 and words[0] == "add":
            yield Raw("ipset", "", words[1], line)


def sections(text: str) -> dict[str, str]:
    """The parts of a compiled IPVS plan by the command that takes them; several for one command are joined."""
    found: dict[str, str] = {}
    command = ""
    for line in text.splitlines():
        if line.startswith("# "):
            command = line[2:].split()[0]
        else:
            found[command] = found.get(command, "") + line + "\n"
    return found
