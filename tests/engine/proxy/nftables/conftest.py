"""One Service, ``testing/service`` with the port ``http``, and its endpoints, compiled for nftables."""

from __future__ import annotations

from typing import Any

import pytest

from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.endpoints import NodeView
from kubelab.engine.proxy.nftables import Table, compile_table
from kubelab.engine.proxy.state import ProxyState

SHORT = {
    "P4ZYZVCF-testing/service/tcp/http": "S",
    "JO2XBXZR-testing/service/tcp/http__10.180.0.1/80": "E1",
    "5S6H3H22-testing/service/tcp/http__10.180.0.2/80": "E2",
    " ip kube-proxy ": " ",
}
"""E1 is elsewhere, E2 on this node."""


def shorten(text: str) -> str:
    for name in sorted(SHORT, key=len, reverse=True):
        text = text.replace(name, SHORT[name])
    return text


@pytest.fixture
def one(make):
    """The table of one Service: ``one(elsewhere, here, **what make.service takes)``."""

    def build(elsewhere: bool = True, here: bool = True, *, config: dict[str, Any] | None = None, **spec: Any) -> Table:
        named = {"namespace": "testing", "port_name": "http"}
        endpoints = [make.endpoint("10.180.0.1")] * elsewhere + [make.endpoint("10.180.0.2", node=make.node)] * here
        slices = [make.slice("service", *endpoints, **named)]
        settings = ProxyConfig(**{"cluster_cidr": "10.244.0.0/16", **(config or {})})
        return compile_table(make.state([make.service("service", "10.96.0.1", **named, **spec)], slices), settings)

    return build


@pytest.fixture
def own_lines():
    """What is written for the ports, shortened, without the flush that follows every chain."""

    def lines(table: Table) -> list[str]:
        written = [each for part in table.ports.values() for each in part.statements]
        chains = [each.object for each in written if each.verb == "flush"]
        assert all(written[written.index(each) - 1].object in chains for each in written if each.verb == "flush")
        return [shorten(each.line(table.family)).removeprefix("add ") for each in written if each.verb != "flush"]

    return lines


@pytest.fixture
def dual_stack(make):
    """A Service with an address of either family, compiled for IPv6."""

    def build(**spec: Any) -> Table:
        service = make.service("service", "10.96.0.1", namespace="testing", port_name="http", **spec)
        service["spec"] |= {"clusterIPs": ["10.96.0.1", "fd00:10:96::1"], "ipFamilies": ["IPv4", "IPv6"]}
        slice_ = make.slice(
            "service",
            make.endpoint("fd00:10:244:1::5", node=make.node),
            namespace="testing",
            port_name="http",
        )
        slice_["addressType"] = "IPv6"
        node = NodeView(make.node, (make.node_ip, "fd00:18::3"))
        state = ProxyState.of(node, [service], [slice_], family=6)
        return compile_table(state, ProxyConfig(cluster_cidr="10.244.0.0/16,fd00:10:244::/56"), ["fd00:10:96::/112"])

    return build
