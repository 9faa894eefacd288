"""The table ``kube-proxy`` of one family of one node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from kubelab.engine.proxy.addresses import family_of
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.detector import local_detector
from kubelab.engine.proxy.endpoints import usable
from kubelab.engine.proxy.nftables.objects import Chain, Container, Element, Rule, Statement
from kubelab.engine.proxy.nftables.port import Context, port_statements
from kubelab.engine.proxy.nftables.shared import Containers, node_port_ips, shared_statements
from kubelab.engine.proxy.services import PortName
from kubelab.engine.proxy.state import ProxyState


@dataclass(frozen=True)
class Table:
    """What is to be there, as the statements that write it into an empty table."""

    family: int
    shared: tuple[Statement, ...]
    """What does not belong to one port."""
    ports: dict[PortName, tuple[Statement, ...]]
    """The statements of every port, sorted by name."""
    without_local_endpoints: dict[str, int]
    """Policy (``internal``, ``external``) → ports that have endpoints, but none here."""

    def statements(self) -> Iterator[Statement]:
        """All of them, in order."""
        yield from self.shared
        for statements in self.ports.values():
            yield from statements

    @cached_property
    def chains(self) -> dict[str, Chain]:
        """By name."""
        return {each.name: each for each in self._added() if isinstance(each, Chain)}

    @cached_property
    def rules(self) -> dict[str, tuple[Rule, ...]]:
        """The rules of every chain, in order."""
        found: dict[str, list[Rule]] = {name: [] for name in self.chains}
        for each in self._added():
            if isinstance(each, Rule):
                found[each.chain].append(each)
        return {name: tuple(rules) for name, rules in found.items()}

    @cached_property
    def containers(self) -> dict[str, Container]:
        """Sets and maps, by name."""
        gone = {each.object for each in self.shared if each.verb == "delete"}
        return {each.name: each for each in self._added() if isinstance(each, Container) and each not in gone}

    @cached_property
    def elements(self) -> dict[str, dict[str, Element]]:
        """Container → key → element. Of two ports that claim one key the last has it."""
        found: dict[str, dict[str, Element]] = {name: {} for name in self.containers}
        for each in self._added():
            if isinstance(each, Element):
                found[each.container][each.key] = each
        return found

    def _added(self) -> Iterator[Chain | Container | Element | Rule]:
        return (each.object for each in self.statements() if each.verb == "add")


def compile_table(state: ProxyState, config: ProxyConfig, service_cidrs: Iterable[str] = ()) -> Table:
    """Compile everything. ``service_cidrs`` are the ranges of all ServiceCIDRs, of either family."""
    family = state.family
    detector = local_detector(config, state.node, family)
    node_ports = node_port_ips(config, state.node, family)
    cidrs = tuple(dict.fromkeys(cidr for cidr in service_cidrs if family_of(cidr) == family))
    context = Context(family, state.node, config, detector, Containers.of(family))
    ports: dict[PortName, tuple[Statement, ...]] = {}
    missing = {"internal": 0, "external": 0}
    for name, port in state.services.items():
        endpoints = usable(port, state.endpoints_of(name), state.node)
        ports[name] = tuple(port_statements(context, port, endpoints))
        if endpoints.any and not endpoints.local:
            missing["internal"] += port.internal_policy_local
            missing["external"] += port.external_policy_local and port.externally_accessible
    return Table(family, tuple(shared_statements(family, config, detector, node_ports, cidrs)), ports, missing)
