"""Links, addresses and routes by rtnetlink(7), with the standard library alone.

A `Netlink` socket stays in the network namespace in which it was made. Requests are lists of packed messages that the
kernel takes in one system call; see `link`, `set_link`, `address` and `route`.
"""

from __future__ import annotations

import ipaddress
import itertools
import os
import socket
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_RTM_NEWLINK, _RTM_GETLINK = 16, 18
_RTM_NEWADDR, _RTM_NEWROUTE, _RTM_NEWRULE = 20, 24, 32
_NLMSG_ERROR = 2
_REQUEST, _ACK, _EXCL, _CREATE = 0x1, 0x4, 0x200, 0x400

_IFLA_IFNAME, _IFLA_MASTER, _IFLA_OPERSTATE, _IFLA_LINKINFO = 3, 10, 16, 18
_IFLA_AF_SPEC, _IFLA_NET_NS_FD = 26, 28
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFLA_INET_CONF = 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST = 1, 2, 4
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5
_FRA_DST, _FRA_IIFNAME, _FRA_PRIORITY, _FRA_FWMARK, _FRA_TABLE = 1, 3, 6, 10, 15
_FR_ACT_TO_TABLE, _FR_ACT_BLACKHOLE = 1, 6
_IFF_UP = 1
_OPERSTATE_UP = 6
_SCOPE_LINK, _SCOPE_HOST = 253, 254

LOOPBACK = 1
"""The index of ``lo`` in every network namespace."""
MAIN_TABLE = 254

# Per-device settings, the same as /proc/sys/net/ipv4/conf/<device>/… (linux/ip.h, IPV4_DEVCONF_*)
FORWARDING, SEND_REDIRECTS, RP_FILTER, ROUTE_LOCALNET = 1, 6, 8, 26


class Request(NamedTuple):
    """One packed message and what it is for, in words."""

    kind: int
    flags: int
    body: bytes
    purpose: str


class Netlink:
    """A route netlink socket in the network namespace of its maker."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._sequence = itertools.count(1)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def do(self, requests: Sequence[Request]) -> None:
        """Send all, wait until the kernel has done all. Raises OSError for the first that it refused."""
        purposes: dict[int, str] = {}
        packed = []
        for request in requests:
            number = next(self._sequence)
            purposes[number] = request.purpose
            packed.append(_message(request.kind, request.flags | _REQUEST | _ACK, number, request.body))
        self._socket.send(b"".join(packed))
        refused: OSError | None = None
        while purposes:
            for kind, number, body in _messages(self._socket.recv(65536)):
                purpose = purposes.pop(number, None)
                if kind == _NLMSG_ERROR and purpose is not None:
                    (code,) = struct.unpack_from("=i", body)
                    if code and refused is None:
                        refused = OSError(-code, f"{purpose}: {os.strerror(-code)}")
        if refused is not None:
            raise refused

    def is_up(self, index: int) -> bool:
        """Whether a device really sends (its operational state), which follows IFF_UP a little later."""
        number = next(self._sequence)
        self._socket.send(_message(_RTM_GETLINK, _REQUEST, number, _ifinfo(index)))
        for kind, _, body in _messages(self._socket.recv(65536)):
            if kind == _RTM_NEWLINK:
                return dict(_attributes(body[16:])).get(_IFLA_OPERSTATE, b"")[:1] == bytes([_OPERSTATE_UP])
        return False


def bridge(name: str, index: int) -> Request:
    """A new bridge."""
    info = _attribute(_IFLA_INFO_KIND, b"bridge")
    body = _ifinfo(index) + _text(_IFLA_IFNAME, name) + _attribute(_IFLA_LINKINFO, info)
    return Request(_RTM_NEWLINK, _CREATE | _EXCL, body, f"make bridge {name}")


def veth(name: str, index: int, peer_name: str, peer_index: int, peer_namespace: int) -> Request:
    """A new pair of devices; the peer is born in the namespace behind the descriptor ``peer_namespace``.

    The peer must not be up at its birth (ENOTCONN).
    """
    peer = _ifinfo(peer_index) + _text(_IFLA_IFNAME, peer_name) + _number(_IFLA_NET_NS_FD, peer_namespace)
    data = _attribute(_IFLA_INFO_DATA, _attribute(_VETH_INFO_PEER, peer))
    info = _attribute(_IFLA_INFO_KIND, b"veth") + data
    body = _ifinfo(index) + _text(_IFLA_IFNAME, name) + _attribute(_IFLA_LINKINFO, info)
    return Request(_RTM_NEWLINK, _CREATE | _EXCL, body, f"make veth {name}")


def set_up(index: int, *, master: int | None = None, settings: dict[int, int] | None = None) -> Request:
    """Set a device up, under a bridge if ``master``, with per-device settings (`FORWARDING` …)."""
    body = _ifinfo(index, flags=_IFF_UP, change=_IFF_UP)
    if master is not None:
        body += _number(_IFLA_MASTER, master)
    if settings:
        values = b"".join(_number(key, value) for key, value in settings.items())
        inet = _attribute(socket.AF_INET, _attribute(_IFLA_INET_CONF, values))
        body += _attribute(_IFLA_AF_SPEC, inet)
    return Request(_RTM_NEWLINK, 0, body, f"set up device {index}")


def set_down(index: int) -> Request:
    """Set a device down; its routes go with that."""
    return Request(_RTM_NEWLINK, 0, _ifinfo(index, change=_IFF_UP), f"set down device {index}")


def address(index: int, interface: str) -> Request:
    """Give a device an address such as ``172.18.0.2/16``."""
    parsed = ipaddress.IPv4Interface(interface)
    scope = _SCOPE_HOST if parsed.ip.is_loopback else 0
    body = struct.pack("=BBBBI", socket.AF_INET, parsed.network.prefixlen, 0, scope, index)
    body += _attribute(_IFA_LOCAL, parsed.ip.packed) + _attribute(_IFA_ADDRESS, parsed.ip.packed)
    if parsed.network.prefixlen < 31:
        body += _attribute(_IFA_BROADCAST, parsed.network.broadcast_address.packed)
    return Request(_RTM_NEWADDR, _CREATE | _EXCL, body, f"give {interface} to device {index}")


def route(destination: str, index: int, *, via: str | None = None, table: int = MAIN_TABLE) -> Request:
    """A route to ``10.244.1.0/24`` or ``0.0.0.0/0``; without ``via`` the destination is on the link."""
    network = ipaddress.IPv4Network(destination)
    static, unicast = 4, 1
    scope = 0 if via else _SCOPE_LINK
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, network.prefixlen, 0, 0, table, static, scope, unicast, 0)
    if network.prefixlen:
        body += _attribute(_RTA_DST, network.network_address.packed)
    if via:
        body += _attribute(_RTA_GATEWAY, socket.inet_aton(via))
    body += _number(_RTA_OIF, index)
    return Request(_RTM_NEWROUTE, _CREATE | _EXCL, body, f"route to {destination}")


def blackhole(destination: str, interface: str, priority: int) -> Request:
    """What arrives on an interface for these addresses vanishes without a word; the place itself is told "no route"."""
    network = ipaddress.IPv4Network(destination)
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, network.prefixlen, 0, 0, 0, 0, 0, _FR_ACT_BLACKHOLE, 0)
    body += _attribute(_FRA_DST, network.network_address.packed)
    body += _text(_FRA_IIFNAME, interface) + _number(_FRA_PRIORITY, priority)
    return Request(_RTM_NEWRULE, _CREATE | _EXCL, body, f"swallow what comes for {destination}")


def marked(mark: int, table: int, priority: int) -> Request:
    """What carries this mark is routed by a table of its own."""
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, table, 0, 0, _FR_ACT_TO_TABLE, 0)
    body += _number(_FRA_FWMARK, mark) + _number(_FRA_TABLE, table) + _number(_FRA_PRIORITY, priority)
    return Request(_RTM_NEWRULE, _CREATE | _EXCL, body, f"route what is marked {mark} by table {table}")


def _ifinfo(index: int, *, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, change)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("=I", value))


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _message(kind: int, flags: int, number: int, body: bytes) -> bytes:
    header = struct.pack("=IHHII", 16 + len(body), kind, flags, number, 0)
    return header + body + b"\0" * (-len(body) % 4)


def _messages(data: bytes) -> Iterable[tuple[int, int, bytes]]:
    """The kind, the number and the body of every message in a datagram."""
    while len(data) >= 16:
        length, kind, _flags, number, _port = struct.unpack_from("=IHHII", data)
        yield kind, number, data[16:length]
        data = data[(length + 3) & ~3 :]


def _attributes(data: bytes) -> Iterable[tuple[int, bytes]]:
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            return
        yield kind & 0x3FFF, data[4:length]
        data = data[(length + 3) & ~3 :]
