"""Addresses as Kubernetes objects hold them: either family, sometimes with leading zeros."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable


def canonical_ip(text: str) -> str | None:
    """The address as programs print it (``010.1.2.3`` and ``::ffff:10.1.2.3`` → ``10.1.2.3``); None when it is none."""
    text = text.strip()
    if "." in text and ":" not in text:
        text = ".".join(part and (part.lstrip("0") or "0") for part in text.split("."))
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    if "%" in text:
        return None
    return str((ip.version == 6 and ip.ipv4_mapped) or ip)


def canonical_cidr(text: str) -> str | None:
    """The range with its host bits cleared; None when it is none."""
    address, slash, bits = text.strip().partition("/")
    ip = canonical_ip(address)
    if not (ip and slash and bits.isdecimal()):
        return None
    try:
        return str(ipaddress.ip_network(f"{ip}/{bits}", strict=False))
    except ValueError:
        return None


def family_of(address: str) -> int:
    """4 or 6, of an address or range."""
    return 6 if ":" in address else 4


def of_family(family: int, texts: Iterable[str | None]) -> tuple[str, ...]:
    """Those of one family, in their order."""
    return tuple(text for text in texts if text and family_of(text) == family)


def contains(cidr: str, address: str) -> bool:
    """Whether the range holds the address."""
    return ipaddress.ip_address(address) in ipaddress.ip_network(cidr)


def with_port(address: str, port: int) -> str:
    """``10.244.1.7:80``, ``[fd00::7]:80``."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
