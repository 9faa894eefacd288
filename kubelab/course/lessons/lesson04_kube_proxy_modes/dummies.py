"""Services that exist as objects only: as many as one likes, with endpoints that nobody stands behind."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

NAMESPACE = "many"
PORT, TARGET_PORT = 80, 8080


def service(number: int) -> Object:
    """A ClusterIP Service with one port; ``number`` is below 50,000."""
    ip = f"10.96.{1 + number // 250}.{1 + number % 250}"
    spec = {"clusterIP": ip, "clusterIPs": [ip], "type": "ClusterIP", "ports": [{"port": PORT, "protocol": "TCP"}]}
    return {"metadata": {"name": f"svc-{number:05}", "namespace": NAMESPACE}, "spec": spec}


def endpointslice(number: int, addresses: tuple[str, ...]) -> Object:
    """The slice of that Service."""
    name = f"svc-{number:05}"
    labels = {"kubernetes.io/service-name": name}
    return {
        "metadata": {"name": f"{name}-x", "namespace": NAMESPACE, "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "", "port": TARGET_PORT, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address]} for address in addresses],
    }


def nobodys(number: int, count: int) -> tuple[str, ...]:
    """``count`` addresses of pods that do not exist, others for every Service."""
    return tuple(f"10.{100 + each}.{number // 250}.{1 + number % 250}" for each in range(count))
