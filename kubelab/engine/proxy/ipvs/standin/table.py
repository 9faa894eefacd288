"""A plan as one nft table that does what IPVS, its sets and the iptables rules around it would do.

The iptables rules are translated one by one. IPVS itself is a map from virtual servers to chains: it translates the
destination where IPVS would, after nat's rules and before the node's own ports. What differs is kept out of sight: a
translated packet is forwarded and not delivered first, so that the rules which IPVS mode has in INPUT before IPVS, and
in OUTPUT behind it, stand before the translation here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from kubelab.engine.proxy.addresses import with_port
from kubelab.engine.proxy.ipvs.plan import Plan, RealServer, VirtualServer
from kubelab.engine.proxy.ipvs.standin.translate import NftRule, translate
from kubelab.engine.proxy.nftables.objects import WORDS, Chain, Container

TABLE = "kubelab-ipvs"

VIRTUAL_SERVERS = "virtual-servers"
WITHOUT_SERVERS = "virtual-servers-without-real-servers"

_BASE_CHAINS = (
    Chain("filter-INPUT-before-ipvs", "type filter hook prerouting priority -110"),
    Chain("filter-OUTPUT-of-ipvs", "type filter hook output priority -110"),
    Chain("nat-PREROUTING", "type nat hook prerouting priority -100"),
    Chain("nat-OUTPUT", "type nat hook output priority -100"),
    Chain("filter-INPUT", "type filter hook input priority 0"),
    Chain("filter-FORWARD", "type filter hook forward priority 0"),
    Chain("filter-OUTPUT", "type filter hook output priority 0"),
    Chain("nat-POSTROUTING", "type nat hook postrouting priority 100"),
)

_JUMPS = {
    "filter-INPUT-before-ipvs": ("filter-KUBE-PROXY-FIREWALL", "kube-proxy firewall rules"),
    "filter-OUTPUT-of-ipvs": ("filter-KUBE-IPVS-OUT-FILTER", "kubernetes ipvs access filter"),
    "nat-PREROUTING": ("nat-KUBE-SERVICES", "kubernetes service portals"),
    "nat-OUTPUT": ("nat-KUBE-SERVICES", "kubernetes service portals"),
    "filter-INPUT": ("filter-KUBE-IPVS-FILTER", "kubernetes ipvs access filter"),
    "filter-FORWARD": ("filter-KUBE-IPVS-FILTER", "kubernetes ipvs access filter"),
    "filter-OUTPUT": ("filter-KUBE-IPVS-FILTER", "kubernetes ipvs access filter"),
    "nat-POSTROUTING": ("nat-KUBE-POSTROUTING", "kubernetes postrouting rules"),
}
"""KUBE-IPVS-FILTER stands in INPUT only, where all packets to virtual addresses come by since these are local; the
other two are for a node that could not be given the addresses."""

_PROTOCOLS = ("tcp:", "udp:", "sctp:")

_FORWARDING = ("filter-KUBE-FORWARD", "kubernetes forwarding rules")
_HEALTH_CHECKS = ("filter-KUBE-NODE-PORT", "kubernetes health check rules")


class SchedulerError(ValueError):
    """A scheduler that weighs what only IPVS counts. The text is a sentence without its end."""


@dataclass
class Table:
    """What is to be there."""

    family: int
    containers: dict[str, Container] = field(default_factory=dict)
    elements: dict[str, dict[str, str]] = field(default_factory=dict)
    """Set or map → key → value, which is empty in a set."""
    chains: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Name → its rules. Chains stand before those that lead to them, the base chains last."""

    @property
    def hooks(self) -> dict[str, Chain]:
        """The base chains by name."""
        return {chain.name: chain for chain in _BASE_CHAINS}

    def contain(self, container: Container, elements: Mapping[str, str]) -> None:
        """A set or map and all that it holds."""
        self.containers[container.name] = container
        self.elements[container.name] = dict(elements)


class _Words(NamedTuple):
    ip: str
    address: str
    key: str
    """The type of a virtual server as a key."""
    to: str
    """The packet's virtual server, if it is to one."""

    @classmethod
    def of(cls, family: int) -> _Words:
        words = WORDS[family]
        key = f"{words.address} . inet_proto . inet_service"
        return cls(words.ip, words.address, key, f"{words.ip} daddr . meta l4proto . th dport")


def stand_in(plan: Plan, servers: Iterable[VirtualServer]) -> Table:
    """The table for a plan. ``servers`` are its virtual servers with the real servers that are being drained.

    Raises `SchedulerError`.
    """
    words, table = _Words.of(plan.family), Table(plan.family)
    leads: dict[str, str] = {}
    refused: dict[str, str] = {}
    for server in servers:
        balanced = _balance(words, server)
        (leads if balanced.leads_to else refused)[balanced.key] = balanced.leads_to
        table.chains.update(balanced.chains)
        for clients in balanced.clients:
            table.contain(clients, {})
    table.contain(Container("map", VIRTUAL_SERVERS, f"{words.key} : verdict", "what IPVS would balance"), leads)
    table.contain(Container("set", WITHOUT_SERVERS, words.key, "what IPVS would refuse"), refused)
    _sets(table, words, plan)
    for script in (plan.nat, plan.filter):
        for chain, rules in translate(script, plan.sets, words.ip).items():
            table.chains[chain] = tuple(rule.text() for rule in rules)
    _base_chains(table, words)
    return table


def _base_chains(table: Table, words: _Words) -> None:
    ipvs = f"{words.to} vmap @{VIRTUAL_SERVERS}"
    refusal = NftRule(f"ct state new {words.to} @{WITHOUT_SERVERS} reject", "IPVS has no real server for it").text()
    for chain in _BASE_CHAINS:
        rules = [_jump(*_JUMPS[chain.name])]
        if chain.name in ("nat-PREROUTING", "nat-OUTPUT"):
            rules.append(ipvs)
        elif chain.name in ("filter-INPUT", "filter-FORWARD", "filter-OUTPUT"):
            rules.append(refusal)
        if chain.name == "filter-INPUT":
            rules.append(_jump(*_HEALTH_CHECKS))
        elif chain.name == "filter-FORWARD":
            rules.append(_jump(*_FORWARDING))
        table.chains[chain.name] = tuple(rules)


def _jump(chain: str, comment: str) -> str:
    return NftRule(f"jump {chain}", comment).text()


def _sets(table: Table, words: _Words, plan: Plan) -> None:
    """The plan's ipsets; the protocol of a port is a dimension of its own here, but for sets of ports alone."""
    for each in plan.sets.values():
        kinds = each.type.partition(":")[2].split(",")
        port = "inet_service" if len(kinds) == 1 else "inet_proto . inet_service"
        type_ = " . ".join(port if kind == "port" else words.address for kind in kinds)
        flags = "interval" if "net" in kinds else ""
        keys = (_element(entry) for entry in sorted(each.entries))
        table.contain(Container("set", each.name, type_, each.comment, flags), dict.fromkeys(keys, ""))


@lru_cache(maxsize=65536)
def _element(entry: str) -> str:
    """``10.96.0.10,udp:53`` as ``10.96.0.10 . udp . 53``."""
    parts = (part.replace(":", " . ") if part.startswith(_PROTOCOLS) else part for part in entry.split(","))
    return " . ".join(parts)


class _Balanced(NamedTuple):
    """One virtual server."""

    key: str
    leads_to: str
    """Empty: to no real server."""
    chains: tuple[tuple[str, tuple[str, ...]], ...]
    clients: tuple[Container, ...]
    """The sets of those that stay with a real server."""


@lru_cache(maxsize=65536)
def _balance(words: _Words, server: VirtualServer) -> _Balanced:
    """One chain picks a real server, and one for each translates to it.

    A real server that is being drained (weight 0) keeps its chain for the sake of its counter, but is not picked.
    """
    chain, chains, clients = _server_chain(server), [], []
    picked = [each for each in server.real_servers if each.weight]
    for each in server.real_servers:
        rules = [f"meta l4proto {server.protocol} counter dnat to {with_port(each.address, each.port)}"]
        if server.persistence and each.weight:
            name, flags, seconds = _clients(server, each), "dynamic,timeout", server.persistence
            clients.append(Container("set", name, words.address, flags=flags, timeout=seconds))
            rules.insert(0, f"update @{name} {{ {words.ip} saddr }}")
        chains.append((real_server_chain(server, each), tuple(rules)))
    if picked:
        known = [
            f"{words.ip} saddr @{_clients(server, each)} goto {real_server_chain(server, each)}"
            for each in picked
            if server.persistence
        ]
        choices = " , ".join(f"{turn} : goto {real_server_chain(server, each)}" for turn, each in enumerate(picked))
        draw = f"{_draw(server.scheduler, words)} mod {len(picked)} vmap {{ {choices} }}"
        chains.append((chain, (*known, draw)))
    return _Balanced(_key(server), f"goto {chain}" if picked else "", tuple(chains), tuple(clients))


def _draw(scheduler: str, words: _Words) -> str:
    """What picks: kube-proxy gives every real server the same weight, so that a weighted turn is a turn."""
    draws = {
        "rr": "numgen inc",
        "wrr": "numgen inc",
        "sh": f"jhash {words.ip} saddr",
        "dh": f"jhash {words.ip} daddr",
        "mh": f"jhash {words.ip} saddr . th sport",
    }
    if scheduler not in draws:
        raise SchedulerError(
            f"the scheduler {scheduler!r} needs IPVS in the kernel, which this one lacks: without it there are "
            f"{', '.join(draws)}"
        )
    return draws[scheduler]


def _key(server: VirtualServer) -> str:
    return f"{server.address} . {server.protocol} . {server.port}"


def _server_chain(server: VirtualServer) -> str:
    """``tcp/10.96.0.10/80``; the colons of an IPv6 address become dots."""
    return f"{server.protocol}/{server.address.replace(':', '.')}/{server.port}"


def real_server_chain(server: VirtualServer, real: RealServer) -> str:
    """``tcp/10.96.0.10/80/10.244.1.2/8080``: its counter counts the connections given to the real server."""
    return f"{_server_chain(server)}/{real.address.replace(':', '.')}/{real.port}"


def _clients(server: VirtualServer, real: RealServer) -> str:
    """The set of the clients that stay with a real server, for as long as its name says."""
    return f"persistence-{server.persistence}-{real_server_chain(server, real)}"
