"""From the virtual servers that stand to those that should: graceful termination, and the commands between them.

An endpoint that a Service loses gets no new connection from then on. While it has open ones it stays with weight 0, so
that they go on; only TCP is treated so, since UDP and SCTP do not say when they are done.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from kubelab.engine.proxy.addresses import contains, family_of
from kubelab.engine.proxy.ipvs.plan import Key, RealServer, VirtualServer

Servers = Mapping[Key, VirtualServer]


class RealKey(NamedTuple):
    """One real server of one virtual server."""

    virtual: Key
    address: str
    port: int


class Open(NamedTuple):
    """How many connections a real server has: established ones, and those that begin, end or have no states."""

    active: int = 0
    inactive: int = 0


Connections = Mapping[RealKey, Open]


def by_key(servers: Iterable[VirtualServer]) -> dict[Key, VirtualServer]:
    """By address, port and protocol."""
    return {each.key: each for each in servers}


def may_drain(before: Servers, wanted: Servers) -> bool:
    """Whether the answer of `with_draining` depends on what connections there are."""
    return any(True for _ in _leaving(before, wanted))


def with_draining(before: Servers, wanted: Servers, connections: Connections) -> dict[Key, VirtualServer]:
    """The wanted servers, and behind their own those that still have open connections, with weight 0."""
    kept: dict[Key, list[RealServer]] = {}
    for virtual, real in _leaving(before, wanted):
        if any(connections.get(RealKey(virtual.key, real.address, real.port), ())):
            kept.setdefault(virtual.key, []).append(real._replace(weight=0))
    after = dict(wanted)
    for key, draining in kept.items():
        after[key] = replace(after[key], real_servers=(*after[key].real_servers, *draining))
    return after


def _leaving(before: Servers, wanted: Servers) -> Iterator[tuple[VirtualServer, RealServer]]:
    for key, virtual in before.items():
        if virtual.protocol != "tcp" or wanted.get(key) in (None, virtual):
            continue
        stay = {each[:2] for each in wanted[key].real_servers}
        yield from ((virtual, each) for each in virtual.real_servers if each[:2] not in stay)


def commands(before: Servers, after: Servers, draining: Container[RealKey] = ()) -> list[str]:
    """The lines of ``ipvsadm -R`` from one to the other.

    A real server that comes back while it is among the ``draining`` is deleted and made again; any other gets its
    weight.
    """
    lines: list[str] = []
    for key, virtual in after.items():
        if key in before:
            lines += _edited(before[key], virtual, draining)
        else:
            lines += virtual.lines()
    return lines + [f"-D {virtual.option}" for key, virtual in before.items() if key not in after]


def _edited(before: VirtualServer, after: VirtualServer, draining: Container[RealKey]) -> Iterator[str]:
    if before.settings() != after.settings():
        yield f"-E {after.settings()}"
    had = {each[:2]: each for each in before.real_servers}
    for real in after.real_servers:
        was = had.pop(real[:2], None)
        if was is None:
            yield f"-a {after.option} {real.settings()}"
        elif was.weight != real.weight and RealKey(after.key, *real[:2]) in draining:
            yield f"-d {after.option} {real.option}"
            yield f"-a {after.option} {real.settings()}"
        elif was.weight != real.weight:
            yield f"-e {after.option} {real.settings()}"
    yield from (f"-d {after.option} {real.option}" for real in had.values())


def drained_keys(servers: Servers) -> frozenset[RealKey]:
    """The real servers with weight 0."""
    return frozenset(
        RealKey(key, *real[:2]) for key, virtual in servers.items() for real in virtual.real_servers if not real.weight
    )


def not_ours(servers: Servers, family: int, exclude_cidrs: Iterable[str]) -> set[Key]:
    """Those that kube-proxy leaves alone: of the other family, or in excludeCIDRs."""
    ranges = [cidr for cidr in exclude_cidrs if family_of(cidr) == family]
    return {key for key in servers if family_of(key[0]) != family or any(contains(cidr, key[0]) for cidr in ranges)}
