"""The objects of one port of one Service, in mode ``nftables``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kubelab.engine.proxy.addresses import contains
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.detector import LocalDetector
from kubelab.engine.proxy.endpoints import Endpoint, NodeView, Usable, node_ip
from kubelab.engine.proxy.nftables.names import endpoint_base, port_base
from kubelab.engine.proxy.nftables.objects import WORDS, Chain, Container, Element, Rule, Statement
from kubelab.engine.proxy.nftables.shared import REJECT, Containers, ensure
from kubelab.engine.proxy.services import ServicePort


@dataclass(frozen=True)
class Context:
    """What the ports of all Services are written with."""

    family: int
    node: NodeView
    config: ProxyConfig
    detector: LocalDetector | None
    containers: Containers


def port_statements(context: Context, port: ServicePort, endpoints: Usable) -> Iterator[Statement]:
    """Everything that the port needs, in the order in which a full sync writes it."""
    return _PortWriter(context, port, endpoints).run()


class _PortWriter:
    def __init__(self, context: Context, port: ServicePort, endpoints: Usable) -> None:
        self._context, self._port, self._endpoints = context, port, endpoints
        self._containers = context.containers
        self._ip = WORDS[context.family].ip
        self._mark = f"mark set mark or {context.config.mark}"
        base = port_base(port.name)
        self._service, self._local, self._external, self._firewall = (
            f"{kind}-{base}" for kind in ("service", "local", "external", "firewall")
        )
        has = endpoints.any
        self._uses_service = bool(endpoints.cluster) and port.uses_cluster_endpoints
        self._uses_local = bool(endpoints.local) and port.uses_local_endpoints
        self._uses_external = has and port.externally_accessible
        self._uses_firewall = bool(port.load_balancer_vips) and bool(port.source_ranges)
        self._internal_policy = self._local if port.internal_policy_local else self._service
        self._external_policy = self._local if port.external_policy_local else self._service
        self._has_internal = has and not (port.internal_policy_local and not endpoints.local)
        self._has_external = has and not (port.external_policy_local and not endpoints.local)

    def run(self) -> Iterator[Statement]:
        """Chains before the elements that lead to them; then the rules."""
        yield from self._hairpins()
        yield from self._policy_chains()
        yield from self._cluster_ip()
        yield from self._external_ips()
        yield from self._load_balancer()
        yield from self._node_port()
        yield from self._external_rules()
        yield from self._firewall_rules()
        if self._port.affinity_seconds:
            yield from self._affinity_sets()
        if self._uses_service:
            yield from self._balance(self._service, self._endpoints.cluster)
        if self._uses_local:
            yield from self._balance(self._local, self._endpoints.local)
        if self._port.affinity_seconds:
            yield from self._endpoint_rules()

    def _hairpins(self) -> Iterator[Statement]:
        for each in self._endpoints.reachable:
            if self._port.affinity_seconds:
                yield from ensure(Chain(self._endpoint_chain(each)))
            if each.local:
                key = f"{each.ip} . {each.ip} . {self._port.protocol} . {each.port}"
                yield Statement("add", Element(self._containers.hairpin.name, key))

    def _policy_chains(self) -> Iterator[Statement]:
        wanted = (
            (self._uses_service, self._service),
            (self._uses_local, self._local),
            (self._uses_external, self._external),
        )
        for used, chain in wanted:
            if used:
                yield from ensure(Chain(chain))

    def _to(self, ip: str) -> str:
        return f"{ip} . {self._port.protocol} . {self._port.port}"

    def _goto(self, container: Container, key: str, chain: str) -> Statement:
        return Statement("add", Element(container.name, key, f"goto {chain}"))

    def _refuse(self, container: Container, key: str) -> Statement:
        """For a port that has no usable endpoint anywhere, or none here though its policy is Local."""
        verdict = "drop" if self._endpoints.any else f"goto {REJECT.name}"
        return Statement("add", Element(container.name, key, verdict, str(self._port.name)))

    def _cluster_ip(self) -> Iterator[Statement]:
        ip = self._port.cluster_ip
        yield Statement("add", Element(self._containers.cluster_ips.name, ip))
        if self._has_internal:
            yield self._goto(self._containers.service_ips, self._to(ip), self._internal_policy)
        else:
            yield self._refuse(self._containers.no_endpoint_services, self._to(ip))

    def _external_ips(self) -> Iterator[Statement]:
        for ip in self._port.external_ips:
            if self._endpoints.any:
                yield self._goto(self._containers.service_ips, self._to(ip), self._external)
            if not self._has_external:
                yield self._refuse(self._containers.no_endpoint_services, self._to(ip))

    def _load_balancer(self) -> Iterator[Statement]:
        if self._uses_firewall:
            yield from ensure(Chain(self._firewall))
        for vip in self._port.load_balancer_vips:
            if self._endpoints.any:
                yield self._goto(self._containers.service_ips, self._to(vip), self._external)
            if self._uses_firewall:
                yield self._goto(self._containers.firewall_ips, self._to(vip), self._firewall)
        if not self._has_external:
            for vip in self._port.load_balancer_vips:
                yield self._refuse(self._containers.no_endpoint_services, self._to(vip))

    def _node_port(self) -> Iterator[Statement]:
        if not self._port.node_port:
            return
        key = f"{self._port.protocol} . {self._port.node_port}"
        if self._endpoints.any:
            yield self._goto(self._containers.service_node_ports, key, self._external)
        if not self._has_external:
            yield self._refuse(self._containers.no_endpoint_node_ports, key)

    def _external_rules(self) -> Iterator[Statement]:
        """Policy Local keeps the client's address, but pods and the node itself still reach every endpoint."""
        if not self._uses_external:
            return
        chain = self._external
        if not self._port.external_policy_local:
            yield _rule(chain, self._mark, comment="masquerade")
        else:
            if self._context.detector:
                is_local = self._context.detector.nft_is_local
                yield _rule(chain, is_local, f"goto {self._service}", comment="short-circuit pod traffic")
            yield _rule(chain, "fib saddr type local", self._mark, comment="masquerade local traffic")
            local = "fib saddr type local"
            yield _rule(chain, local, f"goto {self._service}", comment="short-circuit local traffic")
        if self._has_external:
            yield _rule(chain, f"goto {self._external_policy}")

    def _firewall_rules(self) -> Iterator[Statement]:
        """The balancer's own addresses may come in where the node may: the node names them as its source."""
        if not self._uses_firewall:
            return
        sources = [*self._port.source_ranges]
        own = node_ip(self._context.node, self._context.family)
        if any(contains(cidr, own) for cidr in self._port.source_ranges):
            sources += self._port.load_balancer_vips
        yield _rule(self._firewall, f"{self._ip} saddr != {{ {' , '.join(sources)} }} drop")

    def _affinity_sets(self) -> Iterator[Statement]:
        address, seconds = WORDS[self._context.family].address, self._port.affinity_seconds
        for each in self._endpoints.reachable:
            name = self._affinity_set(each)
            yield Statement("add", Container("set", name, address, flags="dynamic,timeout", timeout=seconds))

    def _balance(self, chain: str, endpoints: tuple[Endpoint, ...]) -> Iterator[Statement]:
        """A random number below n picks one of n: by its chain where clients keep theirs, else by address at once."""
        pick = f"numgen random mod {len(endpoints)}"
        if self._port.affinity_seconds:
            for each in endpoints:
                known = f"{self._ip} saddr @{self._affinity_set(each)}"
                yield _rule(chain, known, f"goto {self._endpoint_chain(each)}")
            yield _rule(chain, pick, "vmap", _map(f"goto {self._endpoint_chain(each)}" for each in endpoints))
            return
        translate = f"meta l4proto {self._port.protocol} dnat {self._ip} addr . port to"
        yield _rule(chain, translate, pick, "map", _map(f"{each.ip} . {each.port}" for each in endpoints))

    def _endpoint_rules(self) -> Iterator[Statement]:
        for each in self._endpoints.reachable:
            chain = self._endpoint_chain(each)
            yield _rule(chain, f"update @{self._affinity_set(each)} {{ {self._ip} saddr }}")
            yield _rule(chain, f"meta l4proto {self._port.protocol} dnat to {each}")

    def _endpoint_chain(self, endpoint: Endpoint) -> str:
        return f"endpoint-{endpoint_base(self._port.name, endpoint)}"

    def _affinity_set(self, endpoint: Endpoint) -> str:
        return f"affinity-{endpoint_base(self._port.name, endpoint)}"


def _map(values: Iterator[str]) -> str:
    return f"{{ {' , '.join(f'{number} : {value}' for number, value in enumerate(values))} }}"


def _rule(chain: str, *words: str, comment: str = "") -> Statement:
    return Statement("add", Rule(chain, " ".join(words), comment))
