"""The rules of one port of one Service, in mode ``iptables``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from kubelab.engine.proxy.addresses import contains
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.detector import LocalDetector
from kubelab.engine.proxy.endpoints import Endpoint, Usable, node_ip
from kubelab.engine.proxy.names import endpoint_chain, service_chain
from kubelab.engine.proxy.script import TableScript
from kubelab.engine.proxy.services import ServicePort
from kubelab.engine.proxy.state import ProxyState

NFACCT_LOCALHOST = "localhost_nps_accepted_pkts"


@dataclass
class Context:
    """What the ports of all Services are written with."""

    state: ProxyState
    config: ProxyConfig
    detector: LocalDetector | None
    localhost: bool
    """Whether NodePorts answer on 127.0.0.1."""
    comments: bool
    """Whether the rules of endpoints have comments (not in a large cluster)."""


class PortRules(NamedTuple):
    """All that a port has in the tables."""

    filter: tuple[str, ...]
    """In chains that all ports share, as is all of the filter table."""
    shared: tuple[str, ...]
    """In the nat table's chains that all ports share."""
    chains: tuple[str, ...]
    """Of its own, in the nat table."""
    own: tuple[str, ...]
    """The rules in these."""
    without_local_endpoints: frozenset[str]
    """Policies (``internal``, ``external``) under which it has endpoints, but none here."""


class _Refusal(NamedTuple):
    comment: str
    target: str


def port_rules(context: Context, port: ServicePort, endpoints: Usable) -> PortRules:
    """The rules of one port, in the order in which kube-proxy writes them."""
    return _PortWriter(context, port, endpoints).run()


class _PortWriter:
    def __init__(self, context: Context, port: ServicePort, endpoints: Usable) -> None:
        self._context = context
        self._filter, self._shared, self._own = TableScript("filter"), TableScript("nat"), TableScript("nat")
        self._port = port
        self._endpoints = endpoints
        self._name = str(port.name)
        self._svc, self._svl, self._ext, self._fw = (
            service_chain(kind, port.name) for kind in ("SVC", "SVL", "EXT", "FW")
        )
        has = endpoints.any
        self._uses_svc = bool(endpoints.cluster) and port.uses_cluster_endpoints
        self._uses_svl = bool(endpoints.local) and port.uses_local_endpoints
        self._uses_ext = has and port.externally_accessible
        self._uses_fw = has and bool(port.load_balancer_vips) and bool(port.source_ranges)
        self._internal_chain = self._svl if port.internal_policy_local else self._svc
        self._external_chain = self._svl if port.external_policy_local else self._svc
        self._has_internal = has and not (port.internal_policy_local and not endpoints.local)
        self._has_external = has and not (port.external_policy_local and not endpoints.local)

    def run(self) -> PortRules:
        self._cluster_ip()
        self._external_ips()
        self._load_balancer()
        self._node_port()
        self._health_check()
        self._masquerade_internal()
        self._external()
        self._firewall()
        if self._uses_svc:
            self._balance(self._svc, self._endpoints.cluster)
        if self._uses_svl:
            self._balance(self._svl, self._endpoints.local)
        for endpoint in self._endpoints.reachable:
            self._endpoint(endpoint)
        return PortRules(
            tuple(self._filter.rules),
            tuple(self._shared.rules),
            tuple(self._own_chains()),
            tuple(self._own.rules),
            frozenset(self._missing()),
        )

    def _own_chains(self) -> list[str]:
        wanted = (
            (self._uses_ext, self._ext),
            (self._uses_fw, self._fw),
            (self._uses_svc, self._svc),
            (self._uses_svl, self._svl),
        )
        chains = [chain for used, chain in wanted if used]
        return chains + [endpoint_chain(self._port.name, str(each)) for each in self._endpoints.reachable]

    def _to(self, ip: str, port: int) -> str:
        protocol = self._port.protocol
        return f"-m {protocol} -p {protocol} -d {ip} --dport {port}"

    def _refusal(self) -> _Refusal:
        """For a port that has no usable endpoint anywhere, or none here though its policy is Local."""
        if not self._endpoints.any:
            return _Refusal(f"{self._name} has no endpoints", "-j REJECT")
        return _Refusal(f"{self._name} has no local endpoints", "-j DROP")

    def _cluster_ip(self) -> None:
        to = self._to(self._port.cluster_ip, self._port.port)
        if self._has_internal:
            self._shared.rule("KUBE-SERVICES", to, f"-j {self._internal_chain}", comment=f"{self._name} cluster IP")
        else:
            refusal = self._refusal()
            self._filter.rule("KUBE-SERVICES", to, refusal.target, comment=refusal.comment)

    def _refuse_external(self, to: str) -> None:
        refusal = self._refusal()
        self._filter.rule("KUBE-EXTERNAL-SERVICES", to, refusal.target, comment=refusal.comment)

    def _external_ips(self) -> None:
        for ip in self._port.external_ips:
            to = self._to(ip, self._port.port)
            if self._endpoints.any:
                self._shared.rule("KUBE-SERVICES", to, f"-j {self._ext}", comment=f"{self._name} external IP")
            if not self._has_external:
                self._refuse_external(to)

    def _load_balancer(self) -> None:
        for vip in self._port.load_balancer_vips:
            to = self._to(vip, self._port.port)
            if self._endpoints.any:
                chain = self._fw if self._uses_fw else self._ext
                self._shared.rule("KUBE-SERVICES", to, f"-j {chain}", comment=f"{self._name} loadbalancer IP")
            if self._uses_fw:
                comment = f"{self._name} traffic not accepted by {self._fw}"
                self._filter.rule("KUBE-PROXY-FIREWALL", to, "-j DROP", comment=comment)
        if not self._has_external:
            for vip in self._port.load_balancer_vips:
                self._refuse_external(self._to(vip, self._port.port))

    def _node_port(self) -> None:
        number, protocol = self._port.node_port, self._port.protocol
        if not number:
            return
        bare = f"-m comment --comment {self._name} -m {protocol} -p {protocol}"
        if self._endpoints.any:
            if self._context.localhost and self._context.config.nfacct:
                count = f"-m nfacct --nfacct-name {NFACCT_LOCALHOST}"
                self._shared.rule("KUBE-NODEPORTS", bare, f"-d 127.0.0.0/8 --dport {number}", count, f"-j {self._ext}")
            self._shared.rule("KUBE-NODEPORTS", bare, f"--dport {number}", f"-j {self._ext}")
        if not self._has_external:
            self._refuse_external(f"-m addrtype --dst-type LOCAL -m {protocol} -p {protocol} --dport {number}")

    def _health_check(self) -> None:
        if number := self._port.health_check_node_port:
            comment = f"{self._name} health check node port"
            self._filter.rule("KUBE-NODEPORTS", f"-m tcp -p tcp --dport {number} -j ACCEPT", comment=comment)

    def _missing(self) -> Iterator[str]:
        if self._endpoints.any and not self._endpoints.local:
            if self._port.internal_policy_local:
                yield "internal"
            if self._port.external_policy_local and self._port.externally_accessible:
                yield "external"

    def _masquerade_internal(self) -> None:
        """What does not come from a pod is masqueraded, so that its answer comes back by this node."""
        detector = self._context.detector
        if not self._has_internal or not (self._context.config.masquerade_all or detector):
            return
        outside = "" if self._context.config.masquerade_all or detector is None else detector.is_not_local
        to = self._to(self._port.cluster_ip, self._port.port)
        comment = f"{self._name} cluster IP"
        self._own.rule(self._internal_chain, to, outside, "-j KUBE-MARK-MASQ", comment=comment)

    def _external(self) -> None:
        if not self._uses_ext:
            return
        chain, traffic = self._ext, f"traffic for {self._name} external destinations"
        if not self._port.external_policy_local:
            self._own.rule(chain, "-j KUBE-MARK-MASQ", comment=f"masquerade {traffic}")
        else:
            detector = self._context.detector
            if detector:
                self._own.rule(chain, detector.is_local, f"-j {self._svc}", comment=f"pod {traffic}")
            local = "-m addrtype --src-type LOCAL"
            self._own.rule(chain, local, "-j KUBE-MARK-MASQ", comment=f"masquerade LOCAL {traffic}")
            self._own.rule(chain, local, f"-j {self._svc}", comment=f"route LOCAL {traffic}")
        if self._has_external:
            self._own.rule(chain, f"-j {self._external_chain}")

    def _firewall(self) -> None:
        if not self._uses_fw:
            return
        comment = f"{self._name} loadbalancer IP"
        for cidr in self._port.source_ranges:
            self._own.rule(self._fw, f"-s {cidr} -j {self._ext}", comment=comment)
        own = node_ip(self._context.state.node, self._context.state.family)
        if any(contains(cidr, own) for cidr in self._port.source_ranges):
            for vip in self._port.load_balancer_vips:
                self._own.rule(self._fw, f"-s {vip} -j {self._ext}", comment=comment)
        self._own.rule(self._fw, comment=f"other traffic to {self._name} will be dropped by KUBE-PROXY-FIREWALL")

    def _balance(self, chain: str, endpoints: tuple[Endpoint, ...]) -> None:
        """Each of n endpoints gets 1/n: the first 1/n of all, the second 1/(n-1) of the rest, and so on."""
        seconds = self._port.affinity_seconds
        if seconds:
            for endpoint in endpoints:
                sep, comment = self._named(endpoint)
                known = f"-m recent --name {sep} --rcheck --seconds {seconds} --reap"
                self._own.rule(chain, known, f"-j {sep}", comment=comment)
        for left, endpoint in zip(range(len(endpoints), 0, -1), endpoints, strict=True):
            sep, comment = self._named(endpoint)
            share = f"-m statistic --mode random --probability {1 / left:.10f}" if left > 1 else ""
            self._own.rule(chain, share, f"-j {sep}", comment=comment)

    def _named(self, endpoint: Endpoint) -> tuple[str, str]:
        chain = endpoint_chain(self._port.name, str(endpoint))
        return chain, f"{self._name} -> {endpoint}" if self._context.comments else ""

    def _endpoint(self, endpoint: Endpoint) -> None:
        chain, protocol = endpoint_chain(self._port.name, str(endpoint)), self._port.protocol
        bare = f"-m comment --comment {self._name}" if self._context.comments else ""
        remember = f"-m recent --name {chain} --set" if self._port.affinity_seconds else ""
        self._own.rule(chain, bare, f"-s {endpoint.ip} -j KUBE-MARK-MASQ")
        translate = f"-m {protocol} -p {protocol} -j DNAT --to-destination {endpoint}"
        self._own.rule(chain, bare, remember, translate)
