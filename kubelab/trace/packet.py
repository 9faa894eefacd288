"""What a packet carries that rules can see and change."""

from __future__ import annotations

from typing import NamedTuple


class Header(NamedTuple):
    """Addresses are canonical text. A port is 0 where the protocol has none, or where the kernel picks it later."""

    protocol: str
    source: str
    source_port: int
    destination: str
    destination_port: int
    mark: int = 0

    def __str__(self) -> str:
        mark = f" mark {self.mark:#x}" if self.mark else ""
        return f"{self.source_text} → {self.destination_text}{mark}"

    @property
    def source_text(self) -> str:
        """``10.244.1.7:40000``; a port that is not known is a star."""
        return endpoint(self.source, self.source_port, self.protocol)

    @property
    def destination_text(self) -> str:
        """``10.96.0.10:53``."""
        return endpoint(self.destination, self.destination_port, self.protocol)


def endpoint(address: str, port: int, protocol: str = "tcp") -> str:
    """An address and a port as text; no port for a protocol that has none."""
    if protocol not in WITH_PORTS:
        return address
    shown = str(port) if port else "*"
    return f"[{address}]:{shown}" if ":" in address else f"{address}:{shown}"


WITH_PORTS = frozenset({"tcp", "udp", "sctp"})
"""The protocols that have ports."""
