"""What ``conntrack -L`` says of connections to virtual servers, in the words of IPVS."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import NamedTuple

from kubelab.engine.proxy.ipvs.plan import Key
from kubelab.engine.proxy.ipvs.servers import Open, RealKey

_LINE = re.compile(
    r"(?P<protocol>tcp|udp|sctp)\s+\d+\s+(?P<expire>\d+)\s+(?:(?P<state>[A-Z_]+)\s+)?"
    r"src=(?P<client>\S+) dst=(?P<virtual>\S+) sport=(?P<client_port>\d+) dport=(?P<virtual_port>\d+)\s.*?"
    r"src=(?P<real>\S+) dst=\S+ sport=(?P<real_port>\d+) "
)

_ACTIVE = frozenset({"ESTABLISHED", "SYN_SENT", "SYN_RECV"})
"""IPVS counts TCP connections in these states as active; whatever has no states is inactive."""


class Connection(NamedTuple):
    """One connection that a virtual server was given."""

    real: RealKey
    client: str
    client_port: int
    state: str
    """As conntrack has it; ``UDP`` or ``SCTP`` where it has none."""
    expire: int
    """Seconds."""


def connections(listing: str, virtual: Container[Key]) -> Iterator[Connection]:
    """Those of ``conntrack -L`` that go to one of the virtual servers."""
    for line in listing.splitlines():
        if not (match := _LINE.match(line)):
            continue
        key = (match["virtual"], int(match["virtual_port"]), match["protocol"])
        if key in virtual:
            real = RealKey(key, match["real"], int(match["real_port"]))
            state = match["state"] or match["protocol"].upper()
            yield Connection(real, match["client"], int(match["client_port"]), state, int(match["expire"]))


def counted(listing: str, virtual: Container[Key]) -> dict[RealKey, Open]:
    """How many each real server has."""
    found: dict[RealKey, Open] = {}
    for each in connections(listing, virtual):
        active = each.real.virtual[2] == "tcp" and each.state in _ACTIVE
        had = found.get(each.real, Open())
        found[each.real] = Open(had.active + active, had.inactive + (not active))
    return found
