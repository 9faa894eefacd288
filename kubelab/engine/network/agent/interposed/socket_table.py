"""What the kernel says of connected sockets on this machine (proc_pid_net(5))."""

from __future__ import annotations

import os
from typing import NamedTuple

_MAPPED = "0000000000000000FFFF0000"
_TICKS = os.sysconf("SC_CLK_TCK")

Ends = tuple[str, int, str, int]
"""Source, source port, destination, destination port, as the kernel has them."""


class State(NamedTuple):
    """A socket's state, and the seconds until its timer."""

    number: int
    timer: float


ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSE, CLOSE_WAIT, LAST_ACK = range(1, 10)


def connections(proto: str) -> dict[Ends, State]:
    """Every ``tcp`` or ``udp`` socket with two ends."""
    found: dict[Ends, State] = {}
    for name in (proto, f"{proto}6"):
        try:
            with open(f"/proc/self/net/{name}") as table:
                lines = table.readlines()[1:]
        except FileNotFoundError:  # no IPv6 here
            continue
        for line in lines:
            words = line.split()
            local, remote = _end(words[1]), _end(words[2])
            if local and remote and remote[1]:
                timer = int(words[5].partition(":")[2], 16) / _TICKS
                found[(*local, *remote)] = State(int(words[3], 16), timer)
    return found


def _end(text: str) -> tuple[str, int] | None:
    """Of ``0100007F:1F90``; None for what is no IPv4 address."""
    address, _, port = text.partition(":")
    if len(address) > 8:
        if not address.startswith(_MAPPED):
            return None
        address = address[-8:]
    return ".".join(str(byte) for byte in reversed(bytes.fromhex(address))), int(port, 16)
