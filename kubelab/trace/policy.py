"""Which routing table a packet is looked up in: ``ip rule`` (ip-rule(8))."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubelab.rules.addresses import inside
from kubelab.trace.errors import CannotRead
from kubelab.trace.routes import REFUSING

_LINE = re.compile(r"(\d+):\s+(.*)")
_ADDRESSES = ("from", "to")


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One line of ``ip rule``; ``source``, ``destination`` and ``interface`` are empty where it asks for none."""

    priority: int
    table: str = ""
    refuses: str = ""
    """``blackhole``, ``unreachable`` or ``prohibit`` for a rule that has no table."""
    source: str = ""
    destination: str = ""
    interface: str = ""
    """By which the packet came in; ``lo`` for one that the place itself sends."""
    mark: int = 0
    mask: int = 0
    not_understood: str = ""
    """Words whose meaning is not known: the rule is passed over."""

    def concerns(self, source: str, destination: str, interface: str, mark: int) -> bool:
        """Whether the packet is looked up in the rule's table."""
        return (
            not self.not_understood
            and mark & self.mask == self.mark
            and (not self.interface or self.interface == (interface or "lo"))
            and (not self.source or inside(source, self.source))
            and (not self.destination or inside(destination, self.destination))
        )


def read_policy(text: str) -> tuple[PolicyRule, ...]:
    """The output of ``ip rule``, in its order. Raises `CannotRead`."""
    return tuple(_rule(line) for line in text.splitlines() if line.strip())


def _rule(line: str) -> PolicyRule:
    found = _LINE.fullmatch(line.strip())
    if found is None:
        raise CannotRead(f"This is no line of `ip rule`: {line.strip()!r}.")
    said: dict[str, str] = {}
    unknown: list[str] = []
    words = iter(found[2].split())
    for word in words:
        if word in (*_ADDRESSES, "iif", "fwmark", "lookup"):
            said[word] = next(words, "")
        elif word in REFUSING:
            said["refuses"] = word
        else:
            unknown.append(word)
    value, _, mask = said.get("fwmark", "0/0").partition("/")
    source, destination = ("" if said.get(side, "all") == "all" else said[side] for side in _ADDRESSES)
    return PolicyRule(
        int(found[1]),
        said.get("lookup", ""),
        said.get("refuses", ""),
        source,
        destination,
        said.get("iif", ""),
        int(value, 0),
        int(mask or "0xffffffff", 0),
        " ".join(unknown),
    )
