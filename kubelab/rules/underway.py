"""A packet under way: its ends, its mark, and what translating it means, in whatever words a rule says so."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from kubelab.rules.judge import CannotJudge
from kubelab.rules.packet import Memory, Packet


class Underway:
    """See `kubelab.rules.judge.Passing`."""

    def __init__(
        self,
        packet: Packet,
        is_local: Callable[[str], bool],
        draw: Callable[[], float],
        memory: Memory,
        counted: int,
    ) -> None:
        self.first = packet
        self.proto, self.src, self.sport, self.dst, self.dport = packet[:5]
        self.in_interface = packet.in_interface
        self.out_interface = ""
        self.mark = packet.mark
        self.states = {packet.ctstate}
        self.original = (packet.src, packet.dst, packet.dport)
        self.draw = draw
        self.memory = memory
        self.masquerade = False
        self.counted = counted
        """Bytes by which counters are raised; 0: they are left alone."""
        self.translated = {"destination": False, "source": False}
        """Whether the nat table has been asked."""
        self.hook = ""
        self._is_local = is_local

    def is_local(self, address: str) -> bool:
        return address.startswith("127.") or address == "::1" or self._is_local(address)

    def packet(self) -> Packet:
        """As it is now."""
        first = self.first
        ends = (self.proto, self.src, self.sport, self.dst, self.dport)
        return Packet(*ends, self.in_interface, self.mark, first.ctstate, first.length)

    def masquerading(self) -> None:
        """Let the packet come from the node."""
        self.masquerade = True
        self._settled("SNAT", "source")

    def to_destination(self, address: str, port: int) -> None:
        """Send the packet elsewhere. An empty address and port 0 stay."""
        self.dst, self.dport = address or self.dst, port or self.dport
        self._settled("DNAT", "destination")

    def to_source(self, address: str, port: int) -> None:
        """Let the packet come from elsewhere. An empty address and port 0 stay."""
        self.src, self.sport = address or self.src, port or self.sport
        self._settled("SNAT", "source")

    def to_this_node(self, port: int) -> None:
        """Send the packet to the node itself. Port 0 stays."""
        if self.hook != "OUTPUT" and not self.is_local(self.dst):
            raise CannotJudge("a redirection needs the address of the interface, which is not part of this model")
        self.to_destination("127.0.0.1" if self.hook == "OUTPUT" else "", port)

    def _settled(self, state: str, side: str) -> None:
        self.states.add(state)
        self.translated[side] = True

    def pick(self, addresses: str, ports: str) -> tuple[str, int]:
        """An address and a port drawn of ranges (``10.0.0.1-10.0.0.3``, ``80-90``); empty and 0 for none."""
        low, dash, high = addresses.partition("-")
        address = _between(low, high, self.draw()) if dash else low
        first, dash, last = (ports or "0").partition("-")
        return address, int(first) + int(self.draw() * (int(last) - int(first) + 1)) if dash else int(first)


def _between(low: str, high: str, share: float) -> str:
    first, last = ipaddress.ip_address(low), ipaddress.ip_address(high)
    return str(first + int(share * (int(last) - int(first) + 1)))
