"""What can be set about kube-proxy, with kube-proxy 1.36's defaults (kubeproxy.config.k8s.io/v1alpha1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

DetectLocalMode = Literal["ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix"]


@dataclass(frozen=True)
class ProxyConfig:
    """Durations are in seconds."""

    cluster_cidr: str = ""
    """The pods' range (one, or one a family with a comma); what comes from it is local traffic."""
    detect_local_mode: DetectLocalMode = "ClusterCIDR"
    bridge_interface: str = ""
    interface_name_prefix: str = ""
    masquerade_all: bool = False
    masquerade_bit: int = 14
    node_port_addresses: tuple[str, ...] = ()
    """Ranges in which a node's address takes NodePorts; empty: every address."""
    localhost_node_ports: bool = True
    random_fully: bool = True
    """Whether iptables knows ``--random-fully`` (since 1.6.2)."""
    tcp_be_liberal: bool = False
    ipvs_scheduler: str = "rr"
    ipvs_strict_arp: bool = False
    """Whether the node does not answer ARP for virtual addresses."""
    ipvs_exclude_cidrs: tuple[str, ...] = ()
    """Ranges whose virtual servers are somebody else's."""
    nfacct: bool = False
    """Whether the two nfacct objects are there to count by."""
    sync_period: float = 30
    min_sync_period: float = 1
    service_cidrs: tuple[str, ...] = ()
    """Where ClusterIPs come from, of which nftables drops the unused ones. (A real kube-proxy reads ServiceCIDRs.)"""
    families: tuple[int, ...] = field(default=(4,))
    """4, 6 or both: each is compiled and loaded on its own."""

    @property
    def mark(self) -> str:
        """The mark of packets that need masquerading, as kube-proxy writes it: ``0x00004000``."""
        return f"0x{1 << self.masquerade_bit:08x}"
