"""The table ``kube-proxy`` of one family of one node."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from kubelab.engine.proxy.addresses import family_of
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.detector import local_detector
from kubelab.engine.proxy.endpoints import Usable, usable
from kubelab.engine.proxy.nftables.objects import Chain, Container, Element, Rule, Statement
from kubelab.engine.proxy.nftables.port import Context, port_statements
from kubelab.engine.proxy.nftables.shared import Containers, node_port_ips, shared_statements
from kubelab.engine.proxy.services import PortName, ServicePort
from kubelab.engine.proxy.state import ProxyState

POLICIES = ("internal", "external")


@dataclass(frozen=True)
class Part:
    """What belongs together: statements in order, and what they leave in the table."""

    statements: tuple[Statement, ...]
    chains: tuple[Chain, ...]
    containers: tuple[Container, ...]
    elements: tuple[Element, ...]
    without_local_endpoints: frozenset[str] = frozenset()
    """Policies (``internal``, ``external``) under which a port has endpoints, but none here."""

    @classmethod
    def of(cls, given: Iterable[Statement], without_local_endpoints: frozenset[str] = frozenset()) -> Part:
        """Sort out what is added and not deleted again."""
        statements = tuple(given)
        gone = {each.object for each in statements if each.verb == "delete"}
        added = [each.object for each in statements if each.verb == "add"]
        return cls(
            statements,
            tuple(each for each in added if isinstance(each, Chain)),
            tuple(each for each in added if isinstance(each, Container) and each not in gone),
            tuple(each for each in added if isinstance(each, Element)),
            without_local_endpoints,
        )


@dataclass(frozen=True)
class Table:
    """What is to be there, as the statements that write it into an empty table."""

    state: ProxyState
    config: ProxyConfig
    shared: Part
    """What does not belong to one port."""
    ports: dict[PortName, Part]
    """Sorted by name."""

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.state.family

    def parts(self) -> Iterator[Part]:
        """All of them, in the order in which they are written."""
        yield self.shared
        yield from self.ports.values()

    @cached_property
    def chains(self) -> dict[str, Chain]:
        """By name."""
        return {chain.name: chain for part in self.parts() for chain in part.chains}

    @cached_property
    def rules(self) -> dict[str, tuple[Rule, ...]]:
        """The rules of every chain, in order."""
        found: dict[str, list[Rule]] = {name: [] for name in self.chains}
        for part in self.parts():
            for statement in part.statements:
                if isinstance(statement.object, Rule):
                    found[statement.object.chain].append(statement.object)
        return {name: tuple(rules) for name, rules in found.items()}

    @cached_property
    def containers(self) -> dict[str, Container]:
        """Sets and maps, by name."""
        return {each.name: each for part in self.parts() for each in part.containers}

    @cached_property
    def elements(self) -> dict[str, dict[str, Element]]:
        """Container → key → element. Of two ports that claim one key the last has it."""
        found: dict[str, dict[str, Element]] = {name: {} for name in self.containers}
        for part in self.parts():
            for element in part.elements:
                found[element.container][element.key] = element
        return found

    @property
    def without_local_endpoints(self) -> dict[str, int]:
        """Policy (``internal``, ``external``) → ports that have endpoints, but none here."""
        return {policy: sum(policy in each.without_local_endpoints for each in self.parts()) for policy in POLICIES}


def compile_table(
    state: ProxyState,
    config: ProxyConfig,
    service_cidrs: Iterable[str] = (),
    *,
    before: Table | None = None,
    changed: Collection[PortName] | None = None,
) -> Table:
    """Compile everything. ``service_cidrs`` are the ranges of all ServiceCIDRs, of either family.

    With ``before``, a table of the same node and configuration, ports that are not among the ``changed`` are taken from
    there, which is quick, and by which `changes` knows them.
    """
    family = state.family
    detector = local_detector(config, state.node, family)
    node_ports = node_port_ips(config, state.node, family)
    cidrs = tuple(dict.fromkeys(cidr for cidr in service_cidrs if family_of(cidr) == family))
    context = Context(family, state.node, config, detector, Containers.of(family))
    shared = Part.of(shared_statements(family, config, detector, node_ports, cidrs))
    known = before.ports if before is not None and changed is not None else {}
    again = frozenset(changed or ())
    ports = {
        name: known[name]
        if name in known and name not in again
        else _port(context, port, usable(port, state.endpoints_of(name), state.node))
        for name, port in state.services.items()
    }
    return Table(state, config, shared, ports)


def _port(context: Context, port: ServicePort, endpoints: Usable) -> Part:
    missing = []
    if endpoints.any and not endpoints.local:
        missing += ["internal"] if port.internal_policy_local else []
        missing += ["external"] if port.external_policy_local and port.externally_accessible else []
    return Part.of(port_statements(context, port, endpoints), frozenset(missing))
