"""Services, EndpointSlices and nodes to compile, as short as the tests need them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.endpoints import NodeView
from kubelab.engine.proxy.iptables import Compiled, compile_rules
from kubelab.engine.proxy.state import ProxyState

NODE = "kubelab-worker"
NODE_IP = "172.18.0.3"


def service(
    name: str,
    cluster_ip: str,
    *,
    port: int = 80,
    port_name: str = "p80",
    protocol: str = "TCP",
    namespace: str = "ns1",
    node_port: int | None = None,
    vips: tuple[str, ...] = (),
    **spec: Any,
) -> dict[str, Any]:
    ports: dict[str, Any] = {"port": port, "protocol": protocol}
    if port_name:
        ports["name"] = port_name
    if node_port:
        ports["nodePort"] = node_port
    return {
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": "1"},
        "spec": {"clusterIP": cluster_ip, "clusterIPs": [cluster_ip], "type": "ClusterIP", "ports": [ports], **spec},
        "status": {"loadBalancer": {"ingress": [{"ip": ip} for ip in vips]}},
    }


def endpoint(ip: str, *, node: str | None = "elsewhere", hints: dict[str, Any] | None = None, **conditions: bool):
    return {
        "addresses": [ip],
        "conditions": {"ready": True, "serving": True, "terminating": False, **conditions},
        **({"nodeName": node} if node else {}),
        **({"hints": hints} if hints else {}),
    }


def endpointslice(
    service: str,
    *endpoints: dict[str, Any] | str,
    port: int = 80,
    port_name: str = "p80",
    protocol: str = "TCP",
    namespace: str = "ns1",
    name: str = "",
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name or f"{service}-abcde",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service},
            "resourceVersion": "1",
        },
        "addressType": "IPv4",
        "ports": [{"name": port_name, "port": port, "protocol": protocol}],
        "endpoints": [endpoint(each) if isinstance(each, str) else each for each in endpoints],
    }


def state(services: list[dict[str, Any]], slices: list[dict[str, Any]] = (), *, zone: str = "") -> ProxyState:
    return ProxyState.of(NodeView(NODE, (NODE_IP,), zone), services, slices)


def compiled(services: list[dict[str, Any]], slices: list[dict[str, Any]] = (), **config: Any) -> Compiled:
    settings = ProxyConfig(**{"cluster_cidr": "10.244.0.0/16", **config})
    return compile_rules(state(services, slices), settings)


@pytest.fixture
def make() -> SimpleNamespace:
    return SimpleNamespace(
        service=service,
        endpoint=endpoint,
        slice=endpointslice,
        state=state,
        compiled=compiled,
        node=NODE,
        node_ip=NODE_IP,
    )
