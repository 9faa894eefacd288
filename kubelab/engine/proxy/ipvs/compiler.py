"""Services and endpoints in, a plan out."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable

from kubelab.engine.proxy.addresses import contains, family_of
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.detector import local_detector
from kubelab.engine.proxy.endpoints import Endpoint, NodeView, Usable, node_ip, usable
from kubelab.engine.proxy.ipvs.plan import Part, Plan, RealServer, VirtualServer
from kubelab.engine.proxy.ipvs.rules import write_rules
from kubelab.engine.proxy.ipvs.servers import by_key
from kubelab.engine.proxy.ipvs.sets import (
    CLUSTER_IP,
    EXTERNAL_IP,
    EXTERNAL_IP_LOCAL,
    HEALTH_CHECK_NODE_PORT,
    IPVS_IPS,
    LOAD_BALANCER,
    LOAD_BALANCER_FW,
    LOAD_BALANCER_LOCAL,
    LOOP_BACK,
    NODE_PORT,
    NODE_PORT_LOCAL,
    SOURCE_CIDR,
    SOURCE_IP,
    empty_sets,
)
from kubelab.engine.proxy.services import PortName, ServicePort
from kubelab.engine.proxy.state import ProxyState

POLICIES = ("internal", "external")


def compile_plan(
    state: ProxyState,
    config: ProxyConfig,
    *,
    before: Plan | None = None,
    changed: Collection[PortName] | None = None,
) -> Plan:
    """Compile everything.

    With ``before``, a plan of the same node and configuration, ports that are not among the ``changed`` are taken from
    there.
    """
    known = before.ports if before is not None and changed is not None else {}
    again = frozenset(changed or ())
    node_ips = node_port_ips(config, state.node, state.family)
    parts = {
        name: known[name] if name in known and name not in again else _Compiler(state, config, node_ips).part(port)
        for name, port in state.services.items()
    }
    return _put_together(state, config, parts)


def _put_together(state: ProxyState, config: ProxyConfig, parts: dict[PortName, Part]) -> Plan:
    """Of two ports that claim one address and number the last has it, as in IPVS itself."""
    sets = empty_sets(state.family)
    servers = by_key(server for part in parts.values() for server in part.servers)
    addresses = dict.fromkeys(address for part in parts.values() for address in part.addresses)
    missing: dict[str, set[tuple[str, str]]] = {policy: set() for policy in POLICIES}
    for name, part in parts.items():
        for set_name, entry in part.entries:
            sets[set_name].add(entry)
        for policy in part.without_local_endpoints:
            missing[policy].add((name.namespace, name.service))
    for address in addresses:
        sets[IPVS_IPS].add(address)
    kept_from_node = [server for part in parts.values() for server in part.kept_from_node]
    detector = local_detector(config, state.node, state.family)
    nat, filter_ = write_rules(state.family, sets, config, detector, kept_from_node)
    counts = {policy: len(services) for policy, services in missing.items()}
    return Plan(state.family, tuple(servers.values()), tuple(addresses), sets, nat, filter_, counts, parts)


def node_port_ips(config: ProxyConfig, node: NodeView, family: int) -> tuple[str, ...]:
    """The node's addresses that get a virtual server for every NodePort: never loopback."""
    ips = [ip for ip in node.ips if family_of(ip) == family and not ipaddress.ip_address(ip).is_loopback]
    ranges = [cidr for cidr in config.node_port_addresses if family_of(cidr) == family]
    if ranges and not any(cidr.endswith("/0") for cidr in ranges):
        ips = [ip for ip in ips if any(contains(cidr, ip) for cidr in ranges)]
    return tuple(dict.fromkeys(ips))


class _Compiler:
    """Of one port."""

    def __init__(self, state: ProxyState, config: ProxyConfig, node_ips: tuple[str, ...]) -> None:
        self._state, self._config, self._node_ips = state, config, node_ips
        self._entries: list[tuple[str, str]] = []
        self._servers: list[VirtualServer] = []
        self._addresses: list[str] = []
        self._kept_from_node: list[VirtualServer] = []

    def part(self, port: ServicePort) -> Part:
        """Sets and virtual servers."""
        known = self._state.endpoints_of(port.name)
        endpoints = usable(port, known, self._state.node)
        for each in known:
            if each.local:
                self._enter(LOOP_BACK, f"{each.ip},{port.protocol}:{each.port},{each.ip}")
        self._enter(CLUSTER_IP, _entry(port.cluster_ip, port))
        self._serve(port, port.cluster_ip, self._servers_for(port.internal_policy_local, endpoints))
        self._addresses.append(port.cluster_ip)
        external = self._servers_for(port.external_policy_local, endpoints)
        for ip in port.external_ips:
            self._enter(EXTERNAL_IP_LOCAL if port.external_policy_local else EXTERNAL_IP, _entry(ip, port))
            self._serve(port, ip, external)
            self._bind(ip)
        for vip in port.load_balancer_vips:
            self._balancer_sets(port, vip)
            self._serve(port, vip, external)
            self._bind(vip)
        if not port.node_port or self._node_port(port, external):
            self._health_check(port)
        return Part(
            tuple(self._servers),
            tuple(self._addresses),
            tuple(self._entries),
            tuple(self._kept_from_node),
            _without_local_endpoints(port, endpoints),
        )

    def _enter(self, set_name: str, entry: str) -> None:
        self._entries.append((set_name, entry))

    def _servers_for(self, local_only: bool, endpoints: Usable) -> tuple[Endpoint, ...]:
        """Where policy Local finds no endpoint here, it goes on to all of them, unlike in the other modes."""
        return (endpoints.local or endpoints.cluster) if local_only else endpoints.cluster

    def _serve(self, port: ServicePort, address: str, endpoints: Iterable[Endpoint], number: int = 0) -> None:
        servers = tuple(RealServer(each.ip, each.port) for each in endpoints)
        scheduler, seconds = self._config.ipvs_scheduler, port.affinity_seconds
        server = VirtualServer(address, number or port.port, port.protocol, scheduler, seconds, servers)
        self._servers.append(server)

    def _bind(self, address: str) -> None:
        """An address that another interface has already is local as it is."""
        if address not in self._state.node.ips:
            self._addresses.append(address)

    def _balancer_sets(self, port: ServicePort, vip: str) -> None:
        entry = _entry(vip, port)
        self._enter(LOAD_BALANCER, entry)
        if port.external_policy_local:
            self._enter(LOAD_BALANCER_LOCAL, entry)
        if not port.source_ranges:
            return
        self._enter(LOAD_BALANCER_FW, entry)
        for cidr in port.source_ranges:
            self._enter(SOURCE_CIDR, f"{entry},{cidr}")
        own = node_ip(self._state.node, self._state.family)
        if any(contains(cidr, own) for cidr in port.source_ranges):
            self._enter(SOURCE_IP, f"{entry},{vip}")
        else:
            self._kept_from_node.append(VirtualServer(vip, port.port, port.protocol))

    def _node_port(self, port: ServicePort, endpoints: tuple[Endpoint, ...]) -> bool:
        """Whether the node has an address for it."""
        number, protocol = port.node_port, port.protocol
        for ip in self._node_ips:
            entry = f"{ip},{protocol}:{number}" if protocol == "sctp" else str(number)
            self._enter(NODE_PORT[protocol], entry)
            if port.external_policy_local:
                self._enter(NODE_PORT_LOCAL[protocol], entry)
            self._serve(port, ip, endpoints, number)
        return bool(self._node_ips)

    def _health_check(self, port: ServicePort) -> None:
        if port.health_check_node_port:
            self._enter(HEALTH_CHECK_NODE_PORT, str(port.health_check_node_port))


def _without_local_endpoints(port: ServicePort, endpoints: Usable) -> frozenset[str]:
    if not endpoints.any or endpoints.local:
        return frozenset()
    internal = {"internal"} if port.internal_policy_local else set()
    external = {"external"} if port.external_policy_local and port.externally_accessible else set()
    return frozenset(internal | external)


def _entry(ip: str, port: ServicePort) -> str:
    return f"{ip},{port.protocol}:{port.port}"
