"""``struct sockaddr`` in a program's memory: bytes ↔ address."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

_FAMILY = struct.Struct("H")
_PORT = struct.Struct("!H")
_MAPPED = b"\0" * 10 + b"\xff\xff"
LONGEST = 128
"""sizeof(struct sockaddr_storage)."""


class Address(NamedTuple):
    """An internet address as a program gave it; ``ip`` is IPv4 text where it is mapped into IPv6."""

    family: int
    ip: str
    port: int

    @property
    def six(self) -> bool:
        """Whether ``ip`` is a real IPv6 address."""
        return ":" in self.ip


def parse(data: bytes) -> Address | None:
    """The address, or None when the family is not an internet one or the bytes are too few."""
    if len(data) < 8:
        return None
    (family,) = _FAMILY.unpack_from(data)
    if family == socket.AF_INET:
        return Address(family, socket.inet_ntoa(data[4:8]), _PORT.unpack_from(data, 2)[0])
    if family == socket.AF_INET6 and len(data) >= 24:
        raw = data[8:24]
        ip = socket.inet_ntoa(raw[12:]) if raw[:12] == _MAPPED else socket.inet_ntop(family, raw)
        return Address(family, ip, _PORT.unpack_from(data, 2)[0])
    return None


def build(family: int, ip: str, port: int) -> bytes:
    """The bytes for a socket of ``family``; IPv4 text is mapped for an IPv6 socket."""
    if family == socket.AF_INET:
        return _FAMILY.pack(family) + _PORT.pack(port) + socket.inet_aton(ip) + bytes(8)
    raw = socket.inet_pton(family, ip) if ":" in ip else _MAPPED + socket.inet_aton(ip)
    return _FAMILY.pack(family) + _PORT.pack(port) + bytes(4) + raw + bytes(4)


def for_python(family: int, ip: str, port: int) -> tuple[str, int]:
    """What Python's socket methods take for a socket of ``family``."""
    return (ip if family == socket.AF_INET or ":" in ip else f"::ffff:{ip}"), port


def from_python(address: tuple[str, int] | tuple[str, int, int, int]) -> tuple[str, int]:
    """(ip, port) of what Python's socket methods give; a mapped IPv4 address as IPv4 text."""
    ip = address[0]
    return (ip[7:] if ip.startswith("::ffff:") else ip), address[1]
