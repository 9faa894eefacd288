"""The iptables rules of mode ``ipvs``: the same few for any number of Services, since sets hold the addresses."""

from __future__ import annotations

from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.detector import LocalDetector
from kubelab.engine.proxy.ipvs.plan import VirtualServer
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
    IpSet,
)
from kubelab.engine.proxy.jumps import Jump
from kubelab.engine.proxy.script import TableScript

NAT_CHAINS = ("KUBE-SERVICES", "KUBE-POSTROUTING", "KUBE-NODE-PORT", "KUBE-LOAD-BALANCER", "KUBE-MARK-MASQ")
FILTER_CHAINS = (
    "KUBE-FORWARD",
    "KUBE-NODE-PORT",
    "KUBE-PROXY-FIREWALL",
    "KUBE-SOURCE-RANGES-FIREWALL",
    "KUBE-IPVS-FILTER",
    "KUBE-IPVS-OUT-FILTER",
)

JUMPS = (
    Jump("nat", "OUTPUT", "KUBE-SERVICES", "", "kubernetes service portals"),
    Jump("nat", "PREROUTING", "KUBE-SERVICES", "", "kubernetes service portals"),
    Jump("nat", "POSTROUTING", "KUBE-POSTROUTING", "", "kubernetes postrouting rules"),
    Jump("filter", "FORWARD", "KUBE-FORWARD", "", "kubernetes forwarding rules"),
    Jump("filter", "INPUT", "KUBE-NODE-PORT", "", "kubernetes health check rules"),
    Jump("filter", "INPUT", "KUBE-PROXY-FIREWALL", "", "kube-proxy firewall rules"),
    Jump("filter", "FORWARD", "KUBE-PROXY-FIREWALL", "", "kube-proxy firewall rules"),
    Jump("filter", "INPUT", "KUBE-IPVS-FILTER", "", "kubernetes ipvs access filter"),
    Jump("filter", "OUTPUT", "KUBE-IPVS-OUT-FILTER", "", "kubernetes ipvs access filter"),
)
"""In the order in which they are made: each goes to the head, so the last stands first."""


def write_rules(
    family: int,
    sets: dict[str, IpSet],
    config: ProxyConfig,
    detector: LocalDetector | None,
    kept_from_node: list[VirtualServer],
) -> tuple[TableScript, TableScript]:
    """The nat and the filter table. ``kept_from_node`` are those whose source ranges leave the node itself out."""
    writer = _Writer(sets)
    writer.nat.rule("KUBE-SERVICES", "-s ::1/128" if family == 6 else "-s 127.0.0.0/8", "-j RETURN")
    writer.by_set()
    writer.cluster_ips(config, detector)
    writer.external_ips()
    writer.nat.rule("KUBE-SERVICES", "-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT")
    writer.nat.rule("KUBE-LOAD-BALANCER", "-j KUBE-MARK-MASQ")
    writer.filter.rule("KUBE-SOURCE-RANGES-FIREWALL", "-j DROP")
    for each in kept_from_node:
        server = f"-m ipvs --vaddr {each.address} --vproto {each.protocol} --vport {each.port}"
        writer.filter.rule("KUBE-IPVS-OUT-FILTER", f"-s {each.address}", server, "-j DROP")
    writer.accept()
    writer.forward_and_host(config)
    writer.masquerade(config)
    return writer.nat, writer.filter


class _Writer:
    def __init__(self, sets: dict[str, IpSet]) -> None:
        self._sets = sets
        self.nat, self.filter = TableScript("nat"), TableScript("filter")
        for script, chains in ((self.nat, NAT_CHAINS), (self.filter, FILTER_CHAINS)):
            for chain in chains:
                script.chain(chain)

    def _in(self, name: str, directions: str) -> str:
        return f"-m set --match-set {self._sets[name].name} {directions}"

    def _commented(self, name: str, directions: str) -> str:
        return f'-m comment --comment "{self._sets[name].comment}" {self._in(name, directions)}'

    def by_set(self) -> None:
        """One rule for every set that holds something."""
        self._if_any(self.nat, "KUBE-POSTROUTING", LOOP_BACK, "dst,dst,src", "MASQUERADE")
        self._if_any(self.nat, "KUBE-SERVICES", LOAD_BALANCER, "dst,dst", "KUBE-LOAD-BALANCER")
        self._if_any(self.nat, "KUBE-LOAD-BALANCER", LOAD_BALANCER_LOCAL, "dst,dst", "RETURN")
        for protocol in ("tcp", "udp", "sctp"):
            directions, only = "dst,dst" if protocol == "sctp" else "dst", f"-p {protocol}"
            self._if_any(self.nat, "KUBE-NODE-PORT", NODE_PORT_LOCAL[protocol], directions, "RETURN", only)
            self._if_any(self.nat, "KUBE-NODE-PORT", NODE_PORT[protocol], directions, "KUBE-MARK-MASQ", only)
        source_ranges = "KUBE-SOURCE-RANGES-FIREWALL"
        self._if_any(self.filter, "KUBE-PROXY-FIREWALL", LOAD_BALANCER_FW, "dst,dst", source_ranges)
        self._if_any(self.filter, source_ranges, SOURCE_CIDR, "dst,dst,src", "RETURN")
        self._if_any(self.filter, source_ranges, SOURCE_IP, "dst,dst,src", "RETURN")

    def _if_any(self, script: TableScript, chain: str, name: str, directions: str, to: str, only: str = "") -> None:
        if self._sets[name].entries:
            script.rule(chain, only, self._commented(name, directions), f"-j {to}")

    def cluster_ips(self, config: ProxyConfig, detector: LocalDetector | None) -> None:
        """Without a detector at least what the node itself sends is masqueraded: it takes the address as its source."""
        if not self._sets[CLUSTER_IP].entries:
            return
        directions, outside = "dst,dst", ""
        if not config.masquerade_all:
            directions, outside = ("dst,dst", detector.is_not_local) if detector else ("src,dst", "")
        self.nat.rule("KUBE-SERVICES", self._commented(CLUSTER_IP, directions), outside, "-j KUBE-MARK-MASQ")

    def external_ips(self) -> None:
        """What comes from outside, and what goes to an address that is the node's own, passes."""
        for name in (EXTERNAL_IP, EXTERNAL_IP_LOCAL):
            if not self._sets[name].entries:
                continue
            to = self._commented(name, "dst,dst")
            if name == EXTERNAL_IP:
                self.nat.rule("KUBE-SERVICES", to, "-j KUBE-MARK-MASQ")
            outside = "-m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL"
            self.nat.rule("KUBE-SERVICES", to, outside, "-j ACCEPT")
            self.nat.rule("KUBE-SERVICES", to, "-m addrtype --dst-type LOCAL", "-j ACCEPT")

    def accept(self) -> None:
        """Last in their chain: rules of others must not translate what IPVS will."""
        for name in (CLUSTER_IP, LOAD_BALANCER):
            if self._sets[name].entries:
                self.nat.rule("KUBE-SERVICES", self._in(name, "dst,dst"), "-j ACCEPT")

    def forward_and_host(self, config: ProxyConfig) -> None:
        """Forwarding; and the node's own ports, which are not to be reached by a virtual address."""
        mark = f"-m mark --mark {config.mark}/{config.mark}"
        self.filter.rule("KUBE-FORWARD", mark, "-j ACCEPT", comment="kubernetes forwarding rules")
        established = "-m conntrack --ctstate RELATED,ESTABLISHED"
        self.filter.rule("KUBE-FORWARD", established, "-j ACCEPT", comment="kubernetes forwarding conntrack rule")
        self.filter.rule("KUBE-NODE-PORT", self._commented(HEALTH_CHECK_NODE_PORT, "dst"), "-j ACCEPT")
        for name in (LOAD_BALANCER, CLUSTER_IP, EXTERNAL_IP, EXTERNAL_IP_LOCAL):
            self.filter.rule("KUBE-IPVS-FILTER", self._in(name, "dst,dst"), "-j RETURN")
        self.filter.rule("KUBE-IPVS-FILTER", self._in(HEALTH_CHECK_NODE_PORT, "dst"), "-j RETURN")
        to_a_virtual_address = self._in(IPVS_IPS, "dst")
        self.filter.rule("KUBE-IPVS-FILTER", "-m conntrack --ctstate NEW", to_a_virtual_address, "-j REJECT")

    def masquerade(self, config: ProxyConfig) -> None:
        """As in mode ``iptables``."""
        mark, random_fully = config.mark, "--random-fully" if config.random_fully else ""
        self.nat.rule("KUBE-POSTROUTING", f"-m mark ! --mark {mark}/{mark} -j RETURN")
        self.nat.rule("KUBE-POSTROUTING", f"-j MARK --xor-mark {mark}")
        comment = "kubernetes service traffic requiring SNAT"
        self.nat.rule("KUBE-POSTROUTING", "-j MASQUERADE", random_fully, comment=comment)
        self.nat.rule("KUBE-MARK-MASQ", f"-j MARK --or-mark {mark}")
