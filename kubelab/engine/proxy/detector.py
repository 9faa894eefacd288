"""Telling local traffic (from a pod of this node) by its packets (KEP-2450)."""

from __future__ import annotations

from typing import NamedTuple

from kubelab.engine.proxy.addresses import canonical_cidr, family_of
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.endpoints import NodeView


class LocalDetector(NamedTuple):
    """Two conditions, for iptables and for nftables."""

    is_local: str
    is_not_local: str
    nft_is_local: str
    nft_is_not_local: str


def local_detector(config: ProxyConfig, node: NodeView, family: int) -> LocalDetector | None:
    """The detector that the configuration asks for; None when there is nothing to tell by."""
    if config.detect_local_mode == "BridgeInterface":
        name = config.bridge_interface
        return _by("-i", name, "iifname", name) if name else None
    if config.detect_local_mode == "InterfaceNamePrefix":
        prefix = config.interface_name_prefix
        return _by("-i", f"{prefix}+", "iifname", f"{prefix}*") if prefix else None
    given = config.cluster_cidr.split(",") if config.detect_local_mode == "ClusterCIDR" else node.pod_cidrs
    cidrs = (cidr for cidr in map(canonical_cidr, given) if cidr)
    own = next((cidr for cidr in cidrs if family_of(cidr) == family), None)
    return _by("-s", own, "ip6 saddr" if family == 6 else "ip saddr", own) if own else None


def _by(option: str, value: str, field: str, nft_value: str) -> LocalDetector:
    return LocalDetector(f"{option} {value}", f"! {option} {value}", f"{field} {nft_value}", f"{field} != {nft_value}")
