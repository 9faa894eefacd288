"""How chance divides a translation to several places."""

from __future__ import annotations

import ipaddress

MOST_CHOICES = 256
"""Of a translation to a range of more places than this the tracer does not list every one."""


def spread(addresses: str, ports: str) -> list[tuple[str, int]] | None:
    """The places of a translation like ``10.0.0.1-10.0.0.3`` and ``80-81``; None when they are too many.

    An address that stays is empty, a port that stays is -1.
    """
    hosts = [""] if not addresses else _addresses(addresses)
    low, dash, high = ports.partition("-")
    numbers = range(int(low), int(high if dash else low) + 1) if ports else range(-1, 0)
    if hosts is None or len(hosts) * len(numbers) > MOST_CHOICES:
        return None
    return [(host, port) for host in hosts for port in numbers]


def _addresses(text: str) -> list[str] | None:
    low, dash, high = text.partition("-")
    if not dash:
        return [low]
    first, last = ipaddress.ip_address(low), ipaddress.ip_address(high)
    if int(last) - int(first) >= MOST_CHOICES:
        return None
    return [str(first + step) for step in range(int(last) - int(first) + 1)]
