"""The ipsets by which a few iptables rules know all Services (the names' order is ours)."""

from __future__ import annotations

from dataclasses import dataclass, field

LONGEST_NAME = 31
"""Characters; the kernel takes no more."""

LOOP_BACK = "KUBE-LOOP-BACK"
CLUSTER_IP = "KUBE-CLUSTER-IP"
EXTERNAL_IP = "KUBE-EXTERNAL-IP"
EXTERNAL_IP_LOCAL = "KUBE-EXTERNAL-IP-LOCAL"
LOAD_BALANCER = "KUBE-LOAD-BALANCER"
LOAD_BALANCER_FW = "KUBE-LOAD-BALANCER-FW"
LOAD_BALANCER_LOCAL = "KUBE-LOAD-BALANCER-LOCAL"
SOURCE_IP = "KUBE-LOAD-BALANCER-SOURCE-IP"
SOURCE_CIDR = "KUBE-LOAD-BALANCER-SOURCE-CIDR"
HEALTH_CHECK_NODE_PORT = "KUBE-HEALTH-CHECK-NODE-PORT"
IPVS_IPS = "KUBE-IPVS-IPS"

NODE_PORT = {
    "tcp": "KUBE-NODE-PORT-TCP",
    "udp": "KUBE-NODE-PORT-UDP",
    "sctp": "KUBE-NODE-PORT-SCTP-HASH",
}
NODE_PORT_LOCAL = {
    "tcp": "KUBE-NODE-PORT-LOCAL-TCP",
    "udp": "KUBE-NODE-PORT-LOCAL-UDP",
    "sctp": "KUBE-NODE-PORT-LOCAL-SCTP-HASH",
}

_KINDS = (
    (LOOP_BACK, "hash:ip,port,ip", "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose"),
    (CLUSTER_IP, "hash:ip,port", "Kubernetes service cluster ip + port for masquerade purpose"),
    (EXTERNAL_IP, "hash:ip,port", "Kubernetes service external ip + port for masquerade and filter purpose"),
    (EXTERNAL_IP_LOCAL, "hash:ip,port", "Kubernetes service external ip + port with externalTrafficPolicy=local"),
    (LOAD_BALANCER, "hash:ip,port", "Kubernetes service lb portal"),
    (
        LOAD_BALANCER_FW,
        "hash:ip,port",
        "Kubernetes service load balancer ip + port for load balancer with sourceRange",
    ),
    (
        LOAD_BALANCER_LOCAL,
        "hash:ip,port",
        "Kubernetes service load balancer ip + port with externalTrafficPolicy=local",
    ),
    (
        SOURCE_IP,
        "hash:ip,port,ip",
        "Kubernetes service load balancer ip + port + source IP for packet filter purpose",
    ),
    (
        SOURCE_CIDR,
        "hash:ip,port,net",
        "Kubernetes service load balancer ip + port + source cidr for packet filter purpose",
    ),
    (NODE_PORT["tcp"], "bitmap:port", "Kubernetes nodeport TCP port for masquerade purpose"),
    (NODE_PORT_LOCAL["tcp"], "bitmap:port", "Kubernetes nodeport TCP port with externalTrafficPolicy=local"),
    (NODE_PORT["udp"], "bitmap:port", "Kubernetes nodeport UDP port for masquerade purpose"),
    (NODE_PORT_LOCAL["udp"], "bitmap:port", "Kubernetes nodeport UDP port with externalTrafficPolicy=local"),
    (
        NODE_PORT["sctp"],
        "hash:ip,port",
        "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'",
    ),
    (
        NODE_PORT_LOCAL["sctp"],
        "hash:ip,port",
        "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'",
    ),
    (HEALTH_CHECK_NODE_PORT, "bitmap:port", "Kubernetes health check node port"),
    (IPVS_IPS, "hash:ip", "Addresses on the ipvs interface"),
)


@dataclass(frozen=True)
class IpSet:
    """One set of one family. Its comment is that of the rules that look into it; the set itself has none."""

    name: str
    type: str
    family: int
    comment: str
    entries: dict[str, None] = field(default_factory=dict)
    """In order; each as ``ipset add`` takes it."""

    def add(self, entry: object) -> None:
        """Put an entry in, once."""
        self.entries[str(entry)] = None

    def create_line(self) -> str:
        """As ``ipset restore`` reads it."""
        if self.type == "bitmap:port":
            return f"create {self.name} {self.type} range 0-65535"
        family = "inet6" if self.family == 6 else "inet"
        return f"create {self.name} {self.type} family {family} hashsize 1024 maxelem 65536"

    def add_lines(self) -> list[str]:
        """As ``ipset restore`` reads them."""
        return [f"add {self.name} {entry}" for entry in sorted(self.entries)]


def empty_sets(family: int) -> dict[str, IpSet]:
    """All seventeen, by their IPv4 names."""
    return {name: IpSet(set_name(name, family), kind, family, comment) for name, kind, comment in _KINDS}


def set_name(name: str, family: int) -> str:
    """``KUBE-CLUSTER-IP`` is ``KUBE-6-CLUSTER-IP`` in IPv6, where long names lose their end."""
    return name if family == 4 else name.replace("KUBE-", "KUBE-6-", 1)[:LONGEST_NAME]
