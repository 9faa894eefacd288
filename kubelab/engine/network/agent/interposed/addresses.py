"""Cluster addresses and the loopback addresses that stand for them.

A cluster claims two neighbouring ranges of 127.0.0.0/8, ``127.X`` and ``127.(X+1)``, X even in 64…126:

===========================  ===========================================  ==================
what                         its address                                  its own localhost
===========================  ===========================================  ==================
pod 10.244.a.b               127.X.a.b                                    127.(X+1).a.b
node 172.18.0.n              127.X.255.n                                  127.(X+1).255.n
the outside 172.18.0.1       127.X.255.1                                  127.(X+1).255.1
nobody (always refuses)      127.X.255.254
===========================  ===========================================  ==================

The claim is a socket bound to ``127.X.255.254`` for as long as the agent lives, so clusters and users on one machine
do not meet. Ports that a plain user may not bind are moved up by a fixed distance, on both sides.
"""

from __future__ import annotations

import errno
import ipaddress
import socket

from kubelab.engine.config import NODE_CIDR, POD_CIDR, SERVICE_CIDR

FIRST_RANGE, LAST_RANGE = 64, 126
CLAIM_PORT = 40_641
_NODE_OCTET = 255
_NOBODY_OCTET = 254
_PORTS = 1 << 16
LOCALHOST = "127.0.0.1"


def _prefix(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    """``10.244.`` for 10.244.0.0/16."""
    assert network.prefixlen == 16, network
    first, second, _, _ = str(network.network_address).split(".")
    return f"{first}.{second}."


_POD, _NODE, _SERVICE = _prefix(POD_CIDR), _prefix(NODE_CIDR), _prefix(SERVICE_CIDR)
_CLUSTER = (_POD, _NODE, _SERVICE)


def in_cluster(ip: str) -> bool:
    """Whether an address belongs to pods, nodes or Services, by its range."""
    return ip.startswith(_CLUSTER)


def is_loopback(ip: str) -> bool:
    """Whether an address is in 127.0.0.0/8."""
    return ip.startswith("127.")


class AddressPlan:
    """The two ranges of one cluster, claimed until `release`."""

    def __init__(self, first: int = FIRST_RANGE) -> None:
        """Claim the first free ranges from ``first`` on. Raises OSError when all are taken."""
        self._claim, self.octet = self._take(first)
        self.nobody = f"127.{self.octet}.{_NODE_OCTET}.{_NOBODY_OCTET}"
        """An address on which nothing listens."""
        self._own = f"127.{self.octet}."
        self._private = f"127.{self.octet + 1}."
        self.first_port = self._first_free_port()
        """The lowest port that may be bound here."""

    def release(self) -> None:
        """Give the ranges back."""
        self._claim.close()

    def outer(self, ip: str) -> str:
        """The loopback address of a pod's, node's or the outside's address. KeyError for any other."""
        _, _, third, fourth = ip.split(".")
        if ip.startswith(_POD) and int(third) != _NODE_OCTET:
            return f"{self._own}{third}.{fourth}"
        if ip.startswith(_NODE) and third == "0" and int(fourth) < _NOBODY_OCTET:
            return f"{self._own}{_NODE_OCTET}.{fourth}"
        raise KeyError(ip)

    def localhost(self, ip: str) -> str:
        """The loopback address that is 127.0.0.1 for the place at ``ip``."""
        return self._private + self.outer(ip)[len(self._own) :]

    def inner(self, ip: str) -> str:
        """What a program is shown for an address of the kernel; an address not of this plan is itself."""
        if ip.startswith(self._own):
            third, fourth = ip[len(self._own) :].split(".")
            return f"{_NODE}0.{fourth}" if int(third) == _NODE_OCTET else f"{_POD}{third}.{fourth}"
        return LOCALHOST if ip.startswith(self._private) else ip

    def ours(self, ip: str) -> bool:
        """Whether a kernel address is of this plan."""
        return ip.startswith((self._own, self._private))

    def outer_port(self, port: int) -> int:
        """The port that stands for ``port``."""
        return port + _PORTS - self.first_port if 0 < port < self.first_port else port

    def inner_port(self, port: int) -> int:
        """The port that ``port`` of the kernel stands for."""
        low = port - (_PORTS - self.first_port)
        return low if 0 < low < self.first_port else port

    @staticmethod
    def _take(first: int) -> tuple[socket.socket, int]:
        for octet in range(first, LAST_RANGE + 1, 2):
            claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                claim.bind((f"127.{octet}.{_NODE_OCTET}.{_NOBODY_OCTET}", CLAIM_PORT))
            except OSError as error:
                claim.close()
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            return claim, octet
        raise OSError(errno.EADDRNOTAVAIL, "every loopback range is taken by another cluster; end one of them")

    def _first_free_port(self) -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
            try:
                trial.bind((self.nobody, 1))
            except PermissionError:
                return _unprivileged_port()
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
        return 1


def _unprivileged_port() -> int:
    """ip(7): the first port that needs no CAP_NET_BIND_SERVICE."""
    try:
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as setting:
            return int(setting.read())
    except FileNotFoundError:
        return 1024
