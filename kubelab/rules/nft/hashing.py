"""The hash behind ``jhash`` (Linux, include/linux/jhash.h), so that a packet falls where the kernel lets it fall."""

from __future__ import annotations

import ipaddress
from typing import Any

_ALL = 0xFFFFFFFF
_START = 0xDEADBEEF
_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "sctp": 132}


def share(key: Any, seed: int, modulus: int) -> int:
    """The number below ``modulus`` that the hash of an expression's value falls on."""
    return (jhash(_bytes(key), seed) * modulus) >> 32


def _bytes(key: Any) -> bytes:
    """A value as the kernel's registers hold it; parts of a concatenation fill whole words."""
    if isinstance(key, tuple):
        return b"".join(part + bytes(-len(part) % 4) for part in map(_bytes, key))
    if isinstance(key, int):
        return key.to_bytes(2, "big") if key < 1 << 16 else key.to_bytes(4, "little")
    if key in _PROTOCOLS:
        return bytes([_PROTOCOLS[key]])
    return ipaddress.ip_address(key).packed


def jhash(key: bytes, seed: int) -> int:
    """32 bits of the bytes and a seed."""
    a = b = c = (_START + len(key) + seed) & _ALL
    while len(key) > 12:
        words = (int.from_bytes(key[at : at + 4], "little") for at in (0, 4, 8))
        a, b, c = _mix(*((have + word) & _ALL for have, word in zip((a, b, c), words, strict=True)))
        key = key[12:]
    if not key:
        return c
    words = (int.from_bytes(key[at : at + 4], "little") for at in (0, 4, 8))
    return _last(*((have + word) & _ALL for have, word in zip((a, b, c), words, strict=True)))


def _turn(word: int, by: int) -> int:
    return (word << by | word >> (32 - by)) & _ALL


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    for by in (4, 6, 8, 16, 19, 4):
        a = ((a - c) & _ALL) ^ _turn(c, by)
        c = (c + b) & _ALL
        a, b, c = b, c, a
    return a, b, c


def _last(a: int, b: int, c: int) -> int:
    for by in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - _turn(b, by)) & _ALL
        a, b, c = b, c, a
    # after seven turns the names have moved on by one
    return b
