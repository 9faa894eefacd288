"""What kind is told to build: v1alpha4 of its configuration."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from kubelab.clusters.base import ProxyMode
from kubelab.engine.config import POD_CIDR, SERVICE_CIDR

NODE_IMAGE = "kindest/node:v1.36.4@sha256:099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed"
"""Kubernetes 1.36 as the release notes of kind v0.33.0 pin it (amd64 and arm64). Node images are built anew for each
kind release, so that a tag alone does not say which one it is."""

DOORS = {80: 30080, 443: 30443}
"""Port of the ingress → node port that leads to it."""


def configuration(name: str, mode: ProxyMode, ports: Mapping[int, int]) -> dict[str, Any]:
    """One control plane and two workers; ``ports`` maps the ingress's ports to ports of 127.0.0.1."""
    mappings = [
        {"containerPort": DOORS[port], "hostPort": local, "listenAddress": "127.0.0.1", "protocol": "TCP"}
        for port, local in ports.items()
    ]
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": name,
        "networking": {
            "ipFamily": "ipv4",
            "apiServerAddress": "127.0.0.1",
            "podSubnet": str(POD_CIDR),
            "serviceSubnet": str(SERVICE_CIDR),
            "kubeProxyMode": mode,
            # Not the machine's own search domains: how often a name is asked for must not depend on whose laptop it is.
            "dnsSearch": [],
        },
        "nodes": [
            {"role": "control-plane", "image": NODE_IMAGE, "extraPortMappings": mappings},
            {"role": "worker", "image": NODE_IMAGE},
            {"role": "worker", "image": NODE_IMAGE},
        ],
    }


def free_ports() -> dict[int, int]:
    """Port of the ingress → a port of 127.0.0.1 that is free now."""
    with ExitStack() as stack:
        listeners = {port: stack.enter_context(socket.socket()) for port in DOORS}
        for listener in listeners.values():
            listener.bind(("127.0.0.1", 0))
        return {port: listener.getsockname()[1] for port, listener in listeners.items()}
