"""The cluster's fixed facts: names and address ranges, as kind uses them.

Sources: kind's default node names and subnets (https://kind.sigs.k8s.io/docs/user/configuration/),
kubeadm's defaults for the Service range and the DNS address.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

KUBERNETES_VERSION = "v1.36.2"

POD_CIDR = ipaddress.ip_network("10.244.0.0/16")
SERVICE_CIDR = ipaddress.ip_network("10.96.0.0/16")
NODE_CIDR = ipaddress.ip_network("172.18.0.0/16")
LOAD_BALANCER_CIDR = ipaddress.ip_network("172.18.255.0/24")

KUBERNETES_SERVICE_IP = "10.96.0.1"
DNS_SERVICE_IP = "10.96.0.10"
OUTSIDE_IP = "172.18.0.1"
"""The machine on the street: the nodes' default gateway, outside the cluster."""

API_PORT = 6443
CLUSTER_DOMAIN = "cluster.local"
NODE_PORT_RANGE = range(30000, 32768)


@dataclass(frozen=True)
class NodeSpec:
    """One node: its name, its address on the nodes' network and the range its pods live in."""

    name: str
    ip: str
    pod_cidr: str
    control_plane: bool = False


def nodes(cluster: str = "kubelab") -> tuple[NodeSpec, ...]:
    """The three nodes of a cluster, named and numbered as kind does for one control plane and two workers."""
    return (
        NodeSpec(f"{cluster}-control-plane", "172.18.0.2", "10.244.0.0/24", control_plane=True),
        NodeSpec(f"{cluster}-worker", "172.18.0.3", "10.244.1.0/24"),
        NodeSpec(f"{cluster}-worker2", "172.18.0.4", "10.244.2.0/24"),
    )
