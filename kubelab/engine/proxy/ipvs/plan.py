"""What mode ``ipvs`` puts into a node."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from kubelab.engine.proxy.addresses import with_port
from kubelab.engine.proxy.ipvs.sets import IpSet
from kubelab.engine.proxy.script import TableScript
from kubelab.engine.proxy.services import PortName

DUMMY_DEVICE = "kube-ipvs0"
"""It is never up; it is there to make virtual addresses local, so that packets to them come by the hook of IPVS."""

Key = tuple[str, int, str]
"""Address, port and protocol of a virtual server."""

_OPTION = {"tcp": "-t", "udp": "-u", "sctp": "--sctp-service"}


class RealServer(NamedTuple):
    """One endpoint behind a virtual server, reached by masquerading (NAT)."""

    address: str
    port: int
    weight: int = 1

    @property
    def option(self) -> str:
        """How ``ipvsadm`` is told of it."""
        return f"-r {with_port(self.address, self.port)}"

    def settings(self) -> str:
        """All about it, as ``ipvsadm`` takes it."""
        return f"{self.option} -m -w {self.weight}"


@dataclass(frozen=True)
class VirtualServer:
    """An address and port that IPVS balances."""

    address: str
    port: int
    protocol: str
    """``tcp``, ``udp`` or ``sctp``."""
    scheduler: str = "rr"
    persistence: int = 0
    """Seconds for which a client keeps its endpoint; 0 without affinity."""
    real_servers: tuple[RealServer, ...] = ()

    @cached_property
    def key(self) -> Key:
        """What tells it from others."""
        return self.address, self.port, self.protocol

    @property
    def option(self) -> str:
        """How ``ipvsadm`` is told of it: ``-t 10.96.0.10:80``."""
        return f"{_OPTION[self.protocol]} {with_port(self.address, self.port)}"

    def settings(self) -> str:
        """All about it but its real servers, as ``ipvsadm`` takes it."""
        persistence = f" -p {self.persistence}" if self.persistence else ""
        hashed = " -b mh-port" if self.scheduler == "mh" else ""
        return f"{self.option} -s {self.scheduler}{persistence}{hashed}"

    def lines(self) -> list[str]:
        """As ``ipvsadm -R`` reads it and ``ipvsadm -Sn`` prints it."""
        return [f"-A {self.settings()}", *(f"-a {self.option} {each.settings()}" for each in self.real_servers)]


@dataclass(frozen=True)
class Part:
    """What one port of a Service brings into a plan."""

    servers: tuple[VirtualServer, ...]
    addresses: tuple[str, ...]
    entries: tuple[tuple[str, str], ...]
    """Each with the IPv4 name of its set."""
    kept_from_node: tuple[VirtualServer, ...]
    """Those whose source ranges leave the node itself out."""
    without_local_endpoints: frozenset[str]
    """Policies (``internal``, ``external``) under which the port has endpoints, but none here."""


@dataclass(frozen=True)
class Plan:
    """One address family of one node."""

    family: int
    virtual_servers: tuple[VirtualServer, ...]
    """In the order in which they are made."""
    addresses: tuple[str, ...]
    """Bound to the dummy device, each alone (/32 or /128)."""
    sets: dict[str, IpSet]
    """By their IPv4 names, all seventeen."""
    nat: TableScript
    filter: TableScript
    without_local_endpoints: dict[str, int] = field(default_factory=dict)
    """Policy (``internal``, ``external``) → Services that have endpoints, but none here."""
    ports: dict[PortName, Part] = field(default_factory=dict)
    """Of which it was put together."""

    def restore_text(self) -> str:
        """What goes into ``iptables-restore --noflush``."""
        return self.nat.text() + self.filter.text()
