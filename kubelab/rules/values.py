"""Values of options in the form in which ``iptables-save`` shows them. Every function raises `RuleError`."""

from __future__ import annotations

import ipaddress
import socket

from kubelab.rules.errors import RuleError

FULL_MASK = 0xFFFFFFFF

PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "sctp": 132, "udplite": 136, "ipv6-icmp": 58, "esp": 50, "ah": 51}

CONNTRACK_STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT")

TCP_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")

CONNECTION_STATES = CONNTRACK_STATES[:5]

ADDRESS_TYPES = (
    "UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST",
    "BLACKHOLE", "UNREACHABLE", "PROHIBIT", "THROW", "NAT", "XRESOLVE",
)  # fmt: skip

ICMP_TYPES = {"echo-reply": "0", "destination-unreachable": "3", "echo-request": "8", "time-exceeded": "11"}

_PROBABILITY_STEPS = 0x80000000


def network(text: str) -> str | None:
    """``10.96.0.1`` → ``10.96.0.1/32``; None for the range that holds every address."""
    try:
        net = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise RuleError(f"host/network `{text.partition('/')[0]}' not found") from None
    return str(net) if net.prefixlen else None


def address(text: str) -> str:
    """One address."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise RuleError(f'Bad IP address "{text}"') from None


def protocol(text: str) -> str | None:
    """``6`` → ``tcp``; None for ``all``."""
    name = text.lower()
    if name in ("all", "0"):
        return None
    if name in PROTOCOLS:
        return name
    by_number = {str(number): known for known, number in PROTOCOLS.items()}
    if name in by_number:
        return by_number[name]
    if name.isdigit() and int(name) < 256:
        return name
    raise RuleError(f'unknown protocol "{text}" specified')


def port(text: str) -> str:
    """A port number, or the name of a well-known service."""
    if text.isdigit() and int(text) <= 65535:
        return str(int(text))
    try:
        return str(socket.getservbyname(text))
    except OSError:
        raise RuleError(f"invalid port/service `{text}' specified") from None


def port_range(text: str) -> str:
    """``80`` or ``1000:2000``; an end that is left out is the first or last port."""
    low, colon, high = text.partition(":")
    if not colon:
        return port(low)
    first, last = port(low or "0"), port(high or "65535")
    if int(first) > int(last):
        raise RuleError(f"invalid portrange (min > max): {text}")
    return first if first == last else f"{first}:{last}"


def port_list(text: str) -> str:
    """Up to 15 ports and ranges, comma-separated."""
    return ",".join(port_range(part) for part in text.split(","))


def number(text: str) -> int:
    """Decimal, ``0x`` hexadecimal or ``0`` octal, 32 bits without a sign."""
    try:
        value = int(text, 8) if len(text) > 1 and text.startswith("0") and text.isdigit() else int(text, 0)
    except ValueError:
        raise RuleError(f'bad integer value "{text}"') from None
    if not 0 <= value <= FULL_MASK:
        raise RuleError(f'value "{text}" is out of range')
    return value


def masked(text: str) -> tuple[int, int]:
    """``value/mask``; the mask is all ones when left out."""
    value, slash, mask = text.partition("/")
    return number(value), number(mask) if slash else FULL_MASK


def mark(text: str) -> str:
    """``0x00004000/0x00004000`` → ``0x4000/0x4000``."""
    value, mask = masked(text)
    return f"{value:#x}" if mask == FULL_MASK else f"{value:#x}/{mask:#x}"


def probability(text: str) -> str:
    """Eleven decimals of the 31-bit fixed-point number that the kernel keeps."""
    try:
        value = float(text)
    except ValueError:
        raise RuleError('statistic: bad value for option "--probability", or out of range (0-1).') from None
    if not 0 <= value <= 1:
        raise RuleError('statistic: bad value for option "--probability", or out of range (0-1).')
    return f"{round(value * _PROBABILITY_STEPS) / _PROBABILITY_STEPS:.11f}"


def words(text: str, known: tuple[str, ...], what: str) -> str:
    """A comma-separated list of known words, in the order in which they are known."""
    given = {word.strip().upper() for word in text.split(",")}
    for word in given.difference(known):
        raise RuleError(f'Bad {what} "{word}"')
    return ",".join(word for word in known if word in given)


def word(text: str) -> str:
    """Anything, as it is."""
    return text


def tcp_flags(mask: str, flags: str) -> str:
    """``--tcp-flags MASK SET`` with ``ALL`` and ``NONE`` spelt out as they are shown."""
    wide = ",".join(TCP_FLAGS) if mask.upper() == "ALL" else words(mask, TCP_FLAGS, "TCP flag")
    if flags.upper() == "NONE":
        return f"{wide} NONE"
    return f"{wide} {','.join(TCP_FLAGS) if flags.upper() == 'ALL' else words(flags, TCP_FLAGS, 'TCP flag')}"


def icmp_type(text: str) -> str:
    """The number of an ICMP type, ``type/code``, or ``any``."""
    known = ICMP_TYPES.get(text, text)
    if known != "any" and not known.replace("/", "", 1).isdigit():
        raise RuleError(f'Unknown ICMP type "{text}"')
    return known


def log_level(text: str) -> str:
    """A syslog level as a number."""
    levels = ("emerg", "alert", "crit", "error", "warning", "notice", "info", "debug")
    if text in levels:
        return str(levels.index(text))
    if text.isdigit() and int(text) < 8:
        return text
    raise RuleError(f'log-level "{text}" unknown')


def destination(text: str) -> str:
    """``--to-destination`` and ``--to-source``: ``ip``, ``ip-ip``, ``ip:port``, ``:port-port``, ``[v6]:port``."""
    addresses, ports = split_destination(text)
    for part in addresses.split("-") if addresses else ():
        address(part)
    for part in ports.split("-") if ports else ():
        if not part.isdigit() or not 0 < int(part) <= 65535:
            raise RuleError(f"Port `{ports}' not valid")
    return text


def split_destination(text: str) -> tuple[str, str]:
    """The addresses and the ports of a translation; either may be empty."""
    if text.startswith("["):
        addresses, _, ports = text[1:].partition("]")
        return addresses, ports.removeprefix(":")
    if text.count(":") > 1:
        return text, ""
    addresses, _, ports = text.partition(":")
    return addresses, ports
