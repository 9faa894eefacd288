"""Connections as ``conntrack -L`` prints them, and how the kernel translates their packets.

The kernel keeps a connection as two tuples: as its first packet came, and as answers come back (``nf_conntrack``). What
was translated is the difference between the two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubelab.trace.errors import CannotRead

_FIELD = re.compile(r"(src|dst|sport|dport|type|code|id)=(\S+)")
_MARK = re.compile(r"\bmark=(\d+)")


@dataclass(frozen=True, slots=True)
class Flow:
    """One connection in one node's table. A port that is not known is 0."""

    protocol: str
    source: str
    source_port: int
    destination: str
    destination_port: int
    reply_source: str
    reply_source_port: int
    reply_destination: str
    reply_destination_port: int
    state: str = ""
    """``ESTABLISHED``, ``TIME_WAIT`` …; empty where the protocol has none."""
    unanswered: bool = False
    """No packet has come back yet (``[UNREPLIED]``)."""
    mark: int = 0
    """What rules have noted at it."""

    @property
    def first(self) -> tuple[str, str, int, str, int]:
        """The tuple of the first packet."""
        return self.protocol, self.source, self.source_port, self.destination, self.destination_port

    @property
    def answer(self) -> tuple[str, str, int, str, int]:
        """The tuple of answers as they arrive."""
        back = self.reply_source, self.reply_source_port, self.reply_destination, self.reply_destination_port
        return (self.protocol, *back)

    @property
    def usable(self) -> bool:
        """Whether a packet with its tuple belongs to it; a closed one gives way to a new connection."""
        return self.state not in ("TIME_WAIT", "CLOSE", "LAST_ACK")

    @property
    def destination_translated(self) -> bool:
        """Whether the connection went to another destination than its client meant (DNAT)."""
        return (self.reply_source, self.reply_source_port) != (self.destination, self.destination_port)

    @property
    def source_translated(self) -> bool:
        """Whether the server sees another source (SNAT, masquerade)."""
        return (self.reply_destination, self.reply_destination_port) != (self.source, self.source_port)

    def __str__(self) -> str:
        def side(source: str, source_port: int, destination: str, destination_port: int) -> str:
            return f"src={source} dst={destination} sport={source_port or '*'} dport={destination_port or '*'}"

        state = f" {self.state}" if self.state else ""
        unanswered = " [UNREPLIED]" if self.unanswered else ""
        return f"{self.protocol}{state} {side(*self.first[1:])}{unanswered} {side(*self.answer[1:])}"


def read_flow(line: str) -> Flow:
    """One line of ``conntrack -L`` (or of ``/proc/net/nf_conntrack``). Raises `CannotRead`."""
    found = _FIELD.findall(line)
    sides: list[dict[str, str]] = []
    for key, value in found:
        if key == "src":
            sides.append({})
        if sides:
            sides[-1].setdefault(key, value)
    words = line.split("src=", 1)[0].split()
    if len(sides) < 2 or not words or any("dst" not in side for side in sides[:2]):
        raise CannotRead(f"This is no line of `conntrack -L`: {line.strip()!r}.")
    protocol = next((word for word in words if not word.startswith("ipv") and not word.isdigit()), "")
    state = words[-1] if words[-1].replace("_", "").isupper() else ""
    first, second = sides[:2]
    return Flow(
        protocol,
        first["src"], int(first.get("sport", 0)), first["dst"], int(first.get("dport", 0)),
        second["src"], int(second.get("sport", 0)), second["dst"], int(second.get("dport", 0)),
        state, "[UNREPLIED]" in line, int(mark[1]) if (mark := _MARK.search(line)) else 0,
    )  # fmt: skip


def read_conntrack(text: str) -> tuple[Flow, ...]:
    """The output of ``conntrack -L``; lines without addresses (the program's own words) are passed over."""
    return tuple(read_flow(line) for line in text.splitlines() if "src=" in line)
