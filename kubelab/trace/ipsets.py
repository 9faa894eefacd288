"""Sets of ``ipset save`` or ``ipset list``, and what a rule with ``--match-set`` asks of them (ipset(8))."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from kubelab.rules.addresses import inside
from kubelab.trace.errors import CannotRead


class CannotLookUp(Exception):
    """A set of a kind that is not known."""


@dataclass
class IpSet:
    """One set: its type (``hash:ip,port``) and entries (``10.96.0.1,tcp:443``)."""

    name: str
    type: str
    entries: list[str] = field(default_factory=list)

    @cached_property
    def dimensions(self) -> tuple[str, ...]:
        """``ip``, ``port``, ``net``; an entry has one value for each."""
        return tuple(self.type.partition(":")[2].split(","))

    @cached_property
    def _exact(self) -> frozenset[str]:
        return frozenset(entry.partition(" ")[0] for entry in self.entries)

    def holds(self, values: Sequence[tuple[str, int]], protocol: str) -> bool:
        """Whether it holds a packet's values: address and port by dimension. Raises `CannotLookUp`."""
        kind = self.type.partition(":")[0]
        if kind not in ("hash", "bitmap") or not set(self.dimensions) <= {"ip", "port", "net"}:
            raise CannotLookUp(f"sets of type {self.type} are not part of this model")
        if len(values) < len(self.dimensions):
            raise CannotLookUp(f"the rule asks the set {self.name} for {len(values)} of {len(self.dimensions)} values")
        if "net" not in self.dimensions and "nomatch" not in " ".join(self.entries):
            if ",".join(self._written(values, protocol)) in self._exact:
                return True
            if not any("-" in entry or "/" in entry for entry in self._exact):
                return False
        found = [entry for entry in self.entries if self._fits(entry, values, protocol)]
        return bool(found) and not any("nomatch" in entry.split() for entry in found)

    def _written(self, values: Sequence[tuple[str, int]], protocol: str) -> list[str]:
        bare = self.type.startswith("bitmap")
        return [
            (str(port) if bare else f"{protocol}:{port}") if dimension == "port" else address
            for dimension, (address, port) in zip(self.dimensions, values, strict=False)
        ]

    def _fits(self, entry: str, values: Sequence[tuple[str, int]], protocol: str) -> bool:
        parts = entry.partition(" ")[0].split(",")
        return len(parts) == len(self.dimensions) and all(
            _port_fits(part, port, protocol) if dimension == "port" else _address_fits(part, address)
            for dimension, part, (address, port) in zip(self.dimensions, parts, values, strict=False)
        )


def _port_fits(part: str, port: int, protocol: str) -> bool:
    kind, colon, numbers = part.rpartition(":")
    low, _, high = numbers.partition("-")
    return (not colon or kind == protocol) and low.isdigit() and int(low) <= port <= int(high or low)


def _address_fits(part: str, address: str) -> bool:
    if "-" in part:
        raise CannotLookUp(f"ranges of addresses ({part}) are not part of this model")
    return inside(address, part)


def read_ipsets(text: str) -> dict[str, IpSet]:
    """``ipset save`` or ``ipset list``. Raises `CannotRead`."""
    found: dict[str, IpSet] = {}
    last: IpSet | None = None
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if words[0] == "create" and len(words) > 2:
            found[words[1]] = IpSet(words[1], words[2])
        elif words[0] == "add" and len(words) > 2 and words[1] in found:
            found[words[1]].entries.append(" ".join(words[2:]))
        elif words[0] == "Name:" and len(words) > 1:
            last = found[words[1]] = IpSet(words[1], "")
        elif last is not None and words[0] == "Type:":
            last.type = words[-1]
        elif last is None:
            raise CannotRead(f"Line {number} is no line of `ipset save`: {line.strip()[:60]!r}.")
        elif words[0] not in _HEADINGS:
            last.entries.append(line.strip())
    return found


_HEADINGS = ("Revision:", "Header:", "Size", "References:", "Number", "Members:")
