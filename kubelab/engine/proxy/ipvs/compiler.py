"""Services and endpoints in, a plan out."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from kubelab.engine.proxy.addresses import contains, family_of
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.detector import local_detector
from kubelab.engine.proxy.endpoints import Endpoint, NodeView, Usable, node_ip, usable
from kubelab.engine.proxy.ipvs.plan import Key, Plan, RealServer, VirtualServer
from kubelab.engine.proxy.ipvs.rules import write_rules
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
from kubelab.engine.proxy.services import ServicePort
from kubelab.engine.proxy.state import ProxyState


def compile_plan(state: ProxyState, config: ProxyConfig) -> Plan:
    """Compile everything."""
    compiler = _Compiler(state, config)
    for port in state.services.values():
        compiler.port(port)
    return compiler.plan()


def node_port_ips(config: ProxyConfig, node: NodeView, family: int) -> tuple[str, ...]:
    """The node's addresses that get a virtual server for every NodePort: never loopback."""
    ips = [ip for ip in node.ips if family_of(ip) == family and not ipaddress.ip_address(ip).is_loopback]
    ranges = [cidr for cidr in config.node_port_addresses if family_of(cidr) == family]
    if ranges and not any(cidr.endswith("/0") for cidr in ranges):
        ips = [ip for ip in ips if any(contains(cidr, ip) for cidr in ranges)]
    return tuple(dict.fromkeys(ips))


class _Compiler:
    def __init__(self, state: ProxyState, config: ProxyConfig) -> None:
        self._state, self._config = state, config
        self._sets = empty_sets(state.family)
        self._servers: dict[Key, VirtualServer] = {}
        self._addresses: dict[str, None] = {}
        self._kept_from_node: list[VirtualServer] = []
        self._node_ips = node_port_ips(config, state.node, state.family)
        self._missing: dict[str, set[tuple[str, str]]] = {"internal": set(), "external": set()}

    def plan(self) -> Plan:
        for address in self._addresses:
            self._sets[IPVS_IPS].add(address)
        family, config = self._state.family, self._config
        detector = local_detector(config, self._state.node, family)
        nat, filter_ = write_rules(family, self._sets, config, detector, self._kept_from_node)
        missing = {policy: len(services) for policy, services in self._missing.items()}
        return Plan(family, tuple(self._servers.values()), tuple(self._addresses), self._sets, nat, filter_, missing)

    def port(self, port: ServicePort) -> None:
        """Sets and virtual servers of one port."""
        known = self._state.endpoints_of(port.name)
        endpoints = usable(port, known, self._state.node)
        for each in known:
            if each.local:
                self._sets[LOOP_BACK].add(f"{each.ip},{port.protocol}:{each.port},{each.ip}")
        self._sets[CLUSTER_IP].add(_entry(port.cluster_ip, port))
        self._serve(port, port.cluster_ip, self._servers_for(port.internal_policy_local, endpoints))
        self._addresses[port.cluster_ip] = None
        external = self._servers_for(port.external_policy_local, endpoints)
        self._count_missing(port, endpoints)
        for ip in port.external_ips:
            self._sets[EXTERNAL_IP_LOCAL if port.external_policy_local else EXTERNAL_IP].add(_entry(ip, port))
            self._serve(port, ip, external)
            self._bind(ip)
        for vip in port.load_balancer_vips:
            self._balancer_sets(port, vip)
            self._serve(port, vip, external)
            self._bind(vip)
        if not port.node_port or self._node_port(port, external):
            self._health_check(port)

    def _servers_for(self, local_only: bool, endpoints: Usable) -> tuple[Endpoint, ...]:
        """Where policy Local finds no endpoint here, it goes on to all of them, unlike in the other modes."""
        return (endpoints.local or endpoints.cluster) if local_only else endpoints.cluster

    def _serve(self, port: ServicePort, address: str, endpoints: Iterable[Endpoint], number: int = 0) -> None:
        """Of two ports that claim one address and number the last has it, as in IPVS itself."""
        servers = tuple(RealServer(each.ip, each.port) for each in endpoints)
        scheduler, seconds = self._config.ipvs_scheduler, port.affinity_seconds
        made = VirtualServer(address, number or port.port, port.protocol, scheduler, seconds, servers)
        self._servers[made.key] = made

    def _bind(self, address: str) -> None:
        """An address that another interface has already is local as it is."""
        if address not in self._state.node.ips:
            self._addresses[address] = None

    def _balancer_sets(self, port: ServicePort, vip: str) -> None:
        entry = _entry(vip, port)
        self._sets[LOAD_BALANCER].add(entry)
        if port.external_policy_local:
            self._sets[LOAD_BALANCER_LOCAL].add(entry)
        if not port.source_ranges:
            return
        self._sets[LOAD_BALANCER_FW].add(entry)
        for cidr in port.source_ranges:
            self._sets[SOURCE_CIDR].add(f"{entry},{cidr}")
        own = node_ip(self._state.node, self._state.family)
        if any(contains(cidr, own) for cidr in port.source_ranges):
            self._sets[SOURCE_IP].add(f"{entry},{vip}")
        else:
            self._kept_from_node.append(VirtualServer(vip, port.port, port.protocol))

    def _node_port(self, port: ServicePort, endpoints: tuple[Endpoint, ...]) -> bool:
        """Whether the node has an address for it."""
        number, protocol = port.node_port, port.protocol
        for ip in self._node_ips:
            entry = f"{ip},{protocol}:{number}" if protocol == "sctp" else str(number)
            self._sets[NODE_PORT[protocol]].add(entry)
            if port.external_policy_local:
                self._sets[NODE_PORT_LOCAL[protocol]].add(entry)
            self._serve(port, ip, endpoints, number)
        return bool(self._node_ips)

    def _health_check(self, port: ServicePort) -> None:
        if port.health_check_node_port:
            self._sets[HEALTH_CHECK_NODE_PORT].add(port.health_check_node_port)

    def _count_missing(self, port: ServicePort, endpoints: Usable) -> None:
        if endpoints.any and not endpoints.local:
            service = (port.name.namespace, port.name.service)
            if port.internal_policy_local:
                self._missing["internal"].add(service)
            if port.external_policy_local and port.externally_accessible:
                self._missing["external"].add(service)


def _entry(ip: str, port: ServicePort) -> str:
    return f"{ip},{port.protocol}:{port.port}"
