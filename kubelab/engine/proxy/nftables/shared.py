"""What the ports of all Services share: base chains, dispatch, refusals, masquerading."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import NamedTuple

from kubelab.engine.proxy.addresses import contains, family_of
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.detector import LocalDetector
from kubelab.engine.proxy.endpoints import NodeView, node_ip
from kubelab.engine.proxy.nftables.objects import WORDS, Chain, Container, Element, Rule, Statement

BASE_CHAINS = (
    Chain("filter-prerouting-pre-dnat", "type filter hook prerouting priority -110"),
    Chain("filter-output-pre-dnat", "type filter hook output priority -110"),
    Chain("filter-input", "type filter hook input priority 0"),
    Chain("filter-forward", "type filter hook forward priority 0"),
    Chain("filter-output", "type filter hook output priority 0"),
    Chain("nat-prerouting", "type nat hook prerouting priority -100"),
    Chain("nat-output", "type nat hook output priority -100"),
    Chain("nat-postrouting", "type nat hook postrouting priority 100"),
)
"""Source ranges are judged before DNAT, on the address that the client named; ``reject`` is only allowed after it."""

JUMPS = (
    ("filter-input", "ct state new", "nodeport-endpoints-check"),
    ("filter-input", "ct state new", "service-endpoints-check"),
    ("filter-forward", "ct state new", "service-endpoints-check"),
    ("filter-output", "ct state new", "service-endpoints-check"),
    ("filter-prerouting-pre-dnat", "ct state new", "firewall-check"),
    ("filter-output-pre-dnat", "ct state new", "firewall-check"),
    ("nat-output", "", "services"),
    ("nat-prerouting", "", "services"),
    ("nat-postrouting", "", "masquerading"),
    ("filter-forward", "ct state new", "cluster-ips-check"),
    ("filter-output", "ct state new", "cluster-ips-check"),
)
"""From a base chain, on a condition, to a chain."""

REJECT = Chain("reject-chain", comment="helper for @no-endpoint-services / @no-endpoint-nodeports")


class Containers(NamedTuple):
    """The sets and maps that all ports share, of one family."""

    hairpin: Container
    cluster_ips: Container
    node_port_ips: Container
    no_endpoint_services: Container
    no_endpoint_node_ports: Container
    firewall_ips: Container
    service_ips: Container
    service_node_ports: Container

    @classmethod
    def of(cls, family: int) -> Containers:
        """Their definitions."""
        address = WORDS[family].address
        to, port = f"{address} . inet_proto . inet_service", "inet_proto . inet_service"
        return cls(
            Container("set", "hairpin-connections", f"{address} . {to}", "service hairpin connections"),
            Container("set", "cluster-ips", address, "Active ClusterIPs"),
            Container("set", "nodeport-ips", address, "IPs that accept NodePort traffic"),
            Container(
                "map",
                "no-endpoint-services",
                f"{to} : verdict",
                "vmap to drop or reject packets to services with no endpoints",
            ),
            Container(
                "map",
                "no-endpoint-nodeports",
                f"{port} : verdict",
                "vmap to drop or reject packets to service nodeports with no endpoints",
            ),
            Container(
                "map", "firewall-ips", f"{to} : verdict", "destinations that are subject to LoadBalancerSourceRanges"
            ),
            Container("map", "service-ips", f"{to} : verdict", "ClusterIP, ExternalIP and LoadBalancer IP traffic"),
            Container("map", "service-nodeports", f"{port} : verdict", "NodePort traffic"),
        )


def node_port_ips(config: ProxyConfig, node: NodeView, family: int) -> tuple[str, ...] | None:
    """The node's addresses that take NodePorts; None: every address.

    Without nodePortAddresses that is the node's primary address; with ranges of the other family only, every one.
    """
    if config.node_port_addresses:
        ranges = [cidr for cidr in config.node_port_addresses if family_of(cidr) == family]
    else:
        own = node_ip(node, family)
        ranges = [] if _is_loopback(own) else [f"{own}/{128 if family == 6 else 32}"]
    if not ranges or any(cidr.endswith("/0") for cidr in ranges):
        return None
    ips = (ip for ip in node.ips if family_of(ip) == family and not _is_loopback(ip))
    return tuple(dict.fromkeys(ip for ip in ips if any(contains(cidr, ip) for cidr in ranges)))


def shared_statements(
    family: int,
    config: ProxyConfig,
    detector: LocalDetector | None,
    node_ports: tuple[str, ...] | None,
    service_cidrs: tuple[str, ...],
) -> Iterator[Statement]:
    """Everything that does not belong to one port, in the order in which a full sync writes it."""
    containers = Containers.of(family)
    for chain in BASE_CHAINS:
        yield from ensure(chain)
    yield from _jumps()
    yield from _masquerading(family, config, containers)
    yield from _cluster_ips(family, containers, service_cidrs)
    yield from _node_port_set(containers.node_port_ips, node_ports)
    yield from _refusals(family, containers, node_ports)
    yield from _dispatch(family, config, containers, detector, node_ports)


def ensure(chain: Chain) -> Iterator[Statement]:
    """The chain is there afterwards, and empty."""
    yield Statement("add", chain)
    yield Statement("flush", chain)


def _rule(chain: str, *words: str, comment: str = "") -> Statement:
    return Statement("add", Rule(chain, " ".join(word for word in words if word), comment))


def _jumps() -> Iterator[Statement]:
    made: set[str] = set()
    for base, condition, target in JUMPS:
        if target not in made:
            made.add(target)
            yield from ensure(Chain(target))
        yield _rule(base, condition, "jump", target)


def _masquerading(family: int, config: ProxyConfig, containers: Containers) -> Iterator[Statement]:
    ip, mark = WORDS[family].ip, config.mark
    yield Statement("add", containers.hairpin)
    yield _rule("masquerading", f"mark and {mark} != 0 mark set mark xor {mark} masquerade fully-random")
    connection = f"{ip} saddr . {ip} daddr . meta l4proto . th dport"
    yield _rule("masquerading", f"ct status dnat {connection} @{containers.hairpin.name} masquerade fully-random")


def _cluster_ips(family: int, containers: Containers, service_cidrs: tuple[str, ...]) -> Iterator[Statement]:
    ip, active = WORDS[family].ip, containers.cluster_ips
    yield Statement("add", active)
    yield _rule(
        "cluster-ips-check",
        f"{ip} daddr @{active.name} reject",
        comment="Reject traffic to invalid ports of ClusterIPs",
    )
    if service_cidrs:
        yield _rule(
            "cluster-ips-check",
            f"{ip} daddr {{ {','.join(service_cidrs)} }} drop",
            comment="Drop traffic to unallocated ClusterIPs",
        )


def _node_port_set(container: Container, node_ports: tuple[str, ...] | None) -> Iterator[Statement]:
    yield Statement("add", container)
    if node_ports is None:
        yield Statement("delete", container)
        return
    yield Statement("flush", container)
    for each in node_ports:
        yield Statement("add", Element(container.name, each))


def _refusals(family: int, containers: Containers, node_ports: tuple[str, ...] | None) -> Iterator[Statement]:
    words = WORDS[family]
    yield Statement("add", containers.no_endpoint_services)
    yield Statement("add", containers.no_endpoint_node_ports)
    yield from ensure(REJECT)
    yield _rule(REJECT.name, "reject")
    yield _vmap("service-endpoints-check", f"{words.ip} daddr . meta l4proto", containers.no_endpoint_services)
    to = words.besides_localhost if node_ports is None else f"{words.ip} daddr @{containers.node_port_ips.name}"
    yield _vmap("nodeport-endpoints-check", f"{to} meta l4proto", containers.no_endpoint_node_ports)
    yield Statement("add", containers.firewall_ips)
    yield _vmap("firewall-check", f"{words.ip} daddr . meta l4proto", containers.firewall_ips)


def _dispatch(
    family: int,
    config: ProxyConfig,
    containers: Containers,
    detector: LocalDetector | None,
    node_ports: tuple[str, ...] | None,
) -> Iterator[Statement]:
    words = WORDS[family]
    yield Statement("add", containers.service_ips)
    yield Statement("add", containers.service_node_ports)
    to, mark = f"{words.ip} daddr @{containers.cluster_ips.name}", f"mark set mark or {config.mark}"
    if config.masquerade_all:
        yield _rule("services", to, mark, comment="masquerade all clusterIP traffic")
    elif detector:
        comment = "masquerade clusterIP traffic from outside cluster"
        yield _rule("services", to, detector.nft_is_not_local, mark, comment=comment)
    yield _vmap("services", f"{words.ip} daddr . meta l4proto", containers.service_ips)
    local = f"{words.ip} daddr @{containers.node_port_ips.name}"
    if node_ports is None:
        local = f"fib daddr type local {words.besides_localhost}"
    yield _vmap("services", f"{local} meta l4proto", containers.service_node_ports)


def _vmap(chain: str, what: str, container: Container) -> Statement:
    return _rule(chain, f"{what} . th dport vmap @{container.name}")


def _is_loopback(ip: str) -> bool:
    return ipaddress.ip_address(ip).is_loopback
