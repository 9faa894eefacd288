"""What stands in the braces of a chain, a set or a map that a script adds."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from kubelab.rules.nft.durations import read_duration
from kubelab.rules.nft.errors import NotUnderstood
from kubelab.rules.nft.model import Container, Hook
from kubelab.rules.nft.script import Command, split
from kubelab.rules.nft.words import unquote

PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
"""Names of priorities in the families ip, ip6 and inet (nft(8))."""

_HOOK = re.compile(r"type (\S+) hook (\S+)(?: device \S+)? priority (.+?)")
_PRIORITY = re.compile(r"(-?\d+|[a-z]+)(?: ([+-]) (\d+))?")


def read_hook(parts: Sequence[Sequence[str]]) -> Hook | None:
    """Where a base chain is called, from its lines; None for a regular chain. Raises `NotUnderstood`."""
    policy = next((words[1] for words in parts if words[0] == "policy" and len(words) > 1), "accept")
    line = next((" ".join(words) for words in parts if words[0] == "type"), None)
    if line is None:
        return None
    found = _HOOK.fullmatch(line)
    priority = _PRIORITY.fullmatch(found[3]) if found else None
    if found is None or priority is None or not (priority[1].lstrip("-").isdigit() or priority[1] in PRIORITIES):
        raise NotUnderstood(f"syntax error, '{line}' is no hook of a chain")
    base = PRIORITIES[priority[1]] if priority[1] in PRIORITIES else int(priority[1])
    offset = int(f"{priority[2]}{priority[3]}") if priority[2] else 0
    return Hook(found[1], found[2].upper(), base + offset, policy)


def read_container(command: Command, now: Callable[[], float]) -> Container:
    """A set or map without elements. Raises `NotUnderstood`."""
    said = {part[0].text: [token.text for token in part[1:]] for part in split(command.body)}
    keys, _, data = " ".join(said.get("type", ())).partition(" : ")
    if not keys or bool(data) != (command.kind == "map"):
        raise NotUnderstood(f"the {command.kind} does not say what types it holds")
    return Container(
        command.name,
        0,
        tuple(keys.split(" . ")),
        tuple(data.split(" . ")) if data else (),
        tuple(word for word in said.get("flags", ()) if word != ","),
        read_duration(said["timeout"][0]) if "timeout" in said else 0,
        int(said["size"][0]) if "size" in said else 0,
        unquote(said["comment"][0]) if "comment" in said else "",
        now=now,
    )
