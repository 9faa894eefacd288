"""The compiler of mode ``iptables``: Services and endpoints in, text for ``iptables-restore`` out.

Chains, names, comments and the order of rules are those of kube-proxy 1.36, which is what learners compare with.
Two things are ours: Services are written in the order of their names (upstream: in no order), and so are endpoints
that come from two lists.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from kubelab.engine.proxy.addresses import contains, family_of
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.detector import local_detector
from kubelab.engine.proxy.endpoints import usable
from kubelab.engine.proxy.iptables_service import Context, PortRules, port_rules
from kubelab.engine.proxy.names import STALE_PREFIXES
from kubelab.engine.proxy.script import TableScript
from kubelab.engine.proxy.services import PortName
from kubelab.engine.proxy.state import ProxyState

LARGE_CLUSTER_ENDPOINTS = 1000
"""With more endpoints than this, comments are left out of the rules of endpoints."""

FILTER_CHAINS = (
    "KUBE-SERVICES",
    "KUBE-EXTERNAL-SERVICES",
    "KUBE-FORWARD",
    "KUBE-NODEPORTS",
    "KUBE-PROXY-FIREWALL",
)
NAT_CHAINS = ("KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ")

POLICIES = ("internal", "external")

NFACCT_INVALID = "ct_state_invalid_dropped_pkts"


class Compiled(NamedTuple):
    """The rules of one family of one node."""

    filter: TableScript
    nat: TableScript
    ports: dict[PortName, PortRules]

    @property
    def without_local_endpoints(self) -> dict[str, int]:
        """Policy (``internal``, ``external``) → ports that have endpoints, but none here."""
        ports = self.ports.values()
        return {policy: sum(policy in each.without_local_endpoints for each in ports) for policy in POLICIES}

    def text(self) -> str:
        """What goes into ``iptables-restore --noflush``."""
        return self.filter.text() + self.nat.text()


def is_large(state: ProxyState) -> bool:
    """Whether the cluster is one for which kube-proxy saves on comments and clean-up."""
    return state.endpoint_count > LARGE_CLUSTER_ENDPOINTS


def compile_rules(
    state: ProxyState,
    config: ProxyConfig,
    *,
    existing_chains: Iterable[str] = (),
    changed: Collection[PortName] | None = None,
    before: Compiled | None = None,
) -> Compiled:
    """Compile everything.

    ``existing_chains`` are those that the kernel's nat table has now: the ones that are no longer needed are deleted.
    With ``changed`` only the chains of these ports are written besides the shared ones (KEP-3453); the kernel has
    the others already. ``before``, of the same node and configuration, saves compiling those others again.
    """
    filter_, nat = TableScript("filter"), TableScript("nat")
    localhost = config.localhost_node_ports and state.family == 4
    _shared_chains(filter_, nat, config, localhost)
    detector = local_detector(config, state.node, state.family)
    context = Context(state, config, detector, localhost, comments=not is_large(state))
    known = before.ports if before is not None and changed is not None else {}
    ports: dict[PortName, PortRules] = {}
    for name, port in state.services.items():
        write = changed is None or name in changed
        rules = None if write else known.get(name)
        if rules is None:
            rules = port_rules(context, port, usable(port, state.endpoints_of(name), state.node))
        ports[name] = rules
        _add(rules, filter_, nat, write)
    active = {chain for rules in ports.values() for chain in rules.chains}
    for chain in sorted(existing_chains):
        if chain.startswith(STALE_PREFIXES) and chain not in active:
            nat.delete(chain)
    _node_ports(nat, state, config, localhost)
    _forward(filter_, config)
    return Compiled(filter_, nat, ports)


def _add(port: PortRules, filter_: TableScript, nat: TableScript, write: bool) -> None:
    """Without ``write`` the port's own chains are only counted."""
    filter_.rules += port.filter
    nat.rules += port.shared
    if write:
        nat.chains += port.chains
        nat.rules += port.own
    filter_.counted += len(port.filter)
    nat.counted += len(port.shared) + len(port.own)


def _shared_chains(filter_: TableScript, nat: TableScript, config: ProxyConfig, localhost: bool) -> None:
    for chain in (*FILTER_CHAINS, *(["KUBE-FIREWALL"] if localhost else [])):
        filter_.chain(chain)
    for chain in NAT_CHAINS:
        nat.chain(chain)
    mark = config.mark
    random_fully = "--random-fully" if config.random_fully else ""
    nat.rule("KUBE-POSTROUTING", f"-m mark ! --mark {mark}/{mark} -j RETURN")
    nat.rule("KUBE-POSTROUTING", f"-j MARK --xor-mark {mark}")
    nat.rule("KUBE-POSTROUTING", "-j MASQUERADE", random_fully, comment="kubernetes service traffic requiring SNAT")
    nat.rule("KUBE-MARK-MASQ", f"-j MARK --or-mark {mark}")
    if localhost:
        filter_.rule(
            "KUBE-FIREWALL",
            "-d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP",
            comment="block incoming localnet connections",
        )


def _node_ports(nat: TableScript, state: ProxyState, config: ProxyConfig, localhost: bool) -> None:
    """The way to NodePorts, which must stay the last in its chain: it takes every address of the node."""
    comment = "kubernetes service nodeports; NOTE: this must be the last rule in this chain"
    ranges = [cidr for cidr in config.node_port_addresses if family_of(cidr) == state.family]
    if not ranges or any(cidr.endswith("/0") for cidr in ranges):
        besides = "! -d ::1/128" if state.family == 6 else "" if localhost else "! -d 127.0.0.0/8"
        nat.rule("KUBE-SERVICES", "-m addrtype --dst-type LOCAL", besides, "-j KUBE-NODEPORTS", comment=comment)
        return
    loopback = ("127.0.0.1",) if localhost else ()
    for ip in (*state.node.ips, *loopback):
        if family_of(ip) == state.family and any(contains(cidr, ip) for cidr in ranges):
            nat.rule("KUBE-SERVICES", f"-d {ip} -j KUBE-NODEPORTS", comment=comment)


def _forward(filter_: TableScript, config: ProxyConfig) -> None:
    if not config.tcp_be_liberal:
        count = f"-m nfacct --nfacct-name {NFACCT_INVALID}" if config.nfacct else ""
        filter_.rule("KUBE-FORWARD", "-m conntrack --ctstate INVALID", count, "-j DROP")
    filter_.rule(
        "KUBE-FORWARD",
        f"-m mark --mark {config.mark}/{config.mark} -j ACCEPT",
        comment="kubernetes forwarding rules",
    )
    filter_.rule(
        "KUBE-FORWARD",
        "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        comment="kubernetes forwarding conntrack rule",
    )
