"""Addresses and networks as numbers, each text read once."""

from __future__ import annotations

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=65536)
def number(address: str) -> int:
    """The address as a number."""
    return int(ipaddress.ip_address(address))


@lru_cache(maxsize=4096)
def network(text: str) -> tuple[int, int, int]:
    """Version, first address and mask of a network."""
    net = ipaddress.ip_network(text, strict=False)
    return net.version, int(net.network_address), int(net.netmask)


def inside(address: str, net: str) -> bool:
    """Whether the network holds the address."""
    version, first, mask = network(net)
    return (6 if ":" in address else 4) == version and number(address) & mask == first
