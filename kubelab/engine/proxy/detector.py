"""Telling local traffic (from a pod of this node) by its packets (KEP-2450)."""

from __future__ import annotations

from typing import NamedTuple

from kubelab.engine.proxy.addresses import canonical_cidr, family_of
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.endpoints import NodeView


class LocalDetector(NamedTuple):
    """Two conditions for iptables."""

    is_local: str
    is_not_local: str


def local_detector(config: ProxyConfig, node: NodeView, family: int) -> LocalDetector | None:
    """The detector that the configuration asks for; None when there is nothing to tell by."""
    if config.detect_local_mode == "BridgeInterface":
        return _by("-i", config.bridge_interface)
    if config.detect_local_mode == "InterfaceNamePrefix":
        return _by("-i", f"{config.interface_name_prefix}+") if config.interface_name_prefix else None
    given = config.cluster_cidr.split(",") if config.detect_local_mode == "ClusterCIDR" else node.pod_cidrs
    cidrs = (cidr for cidr in map(canonical_cidr, given) if cidr)
    return _by("-s", next((cidr for cidr in cidrs if family_of(cidr) == family), ""))


def _by(option: str, value: str) -> LocalDetector | None:
    return LocalDetector(f"{option} {value}", f"! {option} {value}") if value else None
