"""The whole proxy against an API and a kernel of paper."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from dataclasses import replace

import pytest

from kubelab.engine.client import Client, InProcessTransport
from kubelab.engine.proxy import KubeProxy, ProxyConfig

SERVICES = "/api/v1/services"
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
NODES = "/api/v1/nodes"

LOCAL = {"externalTrafficPolicy": "Local", "healthCheckNodePort": 32000}

CONFIG = ProxyConfig(cluster_cidr="10.244.0.0/16", min_sync_period=0)


@contextlib.asynccontextmanager
async def running(api, kernel, make, config=CONFIG, **options):
    addresses = [{"type": "InternalIP", "address": make.node_ip}]
    api.put(NODES, {"metadata": {"name": make.node}, "status": {"addresses": addresses}})
    client = Client(InProcessTransport(api, "system:kube-proxy"))
    proxy = KubeProxy(client, make.node, kernel.run, config=config, **options)
    task = asyncio.create_task(proxy.run())
    try:
        await asyncio.wait_for(proxy.synced.wait(), 5)
        yield proxy
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_rules_are_there_when_synced_and_follow_the_api(api, kernel, make):
    api.put(SERVICES, make.service("svc1", "10.96.0.41"))
    async with running(api, kernel, make):
        assert "has no endpoints" in kernel.rules.save("filter")
        api.put(SLICES, make.slice("svc1", "10.180.0.1"))
        await kernel.until(lambda: "--to-destination 10.180.0.1:80" in kernel.rules.save("nat"))
        assert "has no endpoints" not in kernel.rules.save("filter")


@pytest.mark.parametrize(("ranges", "allowed"), [((), True), (("127.0.0.0/8",), True), (("172.18.0.0/16",), False)])
async def test_loopback_is_opened_only_where_node_ports_answer_on_it(api, kernel, make, ranges, allowed):
    async with running(api, kernel, make, replace(CONFIG, node_port_addresses=ranges)):
        assert (kernel.count("sysctl") > 0) == allowed


async def test_a_heartbeat_of_the_node_starts_nothing(api, kernel, make):
    async with running(api, kernel, make):
        calls = len(kernel.calls)
        node = dict(api.objects[NODES][make.node])
        node["status"] = {**node["status"], "conditions": [{"type": "Ready"}]}
        api.put(NODES, node)
        api.put(SERVICES, make.service("svc1", "10.96.0.41"))
        await kernel.until(lambda: "10.96.0.41" in kernel.rules.save("filter"))
        assert [call[0] for call in kernel.calls[calls:]] == ["iptables-save", "iptables-restore"]


async def get(port: int, path: str) -> tuple[int, dict[str, str], str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: node\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    status, *lines = head.split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body


async def test_the_mode_health_and_health_check_ports_are_served(api, kernel, make):
    ports: dict[int, int] = {}

    async def listen(ip: str, port: int) -> socket.socket:
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setblocking(False)
        ports[port] = sock.getsockname()[1]
        kernel.stirred.set()
        return sock

    service = make.service(
        "lb",
        "10.96.0.41",
        type="LoadBalancer",
        node_port=30001,
        externalTrafficPolicy="Local",
        healthCheckNodePort=32000,
    )
    api.put(SERVICES, service)
    api.put(SLICES, make.slice("lb", make.endpoint("10.180.0.1", node=make.node), "10.180.0.2"))
    async with running(api, kernel, make, listen=listen):
        await kernel.until(lambda: {32000, 10249, 10256} <= ports.keys())
        status, headers, body = await get(ports[32000], "/")
        assert (status, headers["X-Load-Balancing-Endpoint-Weight"]) == (200, "1")
        assert json.loads(body)["service"] == {"namespace": "ns1", "name": "lb"}
        assert await get(ports[10249], "/proxyMode") == (200, (await get(ports[10249], "/proxyMode"))[1], "iptables")
        status, _, body = await get(ports[10256], "/healthz")
        assert status == 200 and json.loads(body)["nodeEligible"] is True
        assert json.loads(body)["status"]["IPv4"]["healthy"] is True
        assert "kubeproxy_sync_proxy_rules_duration_seconds_count" in (await get(ports[10249], "/metrics"))[2]
        api.put(SLICES, make.slice("lb", "10.180.0.2"))
        await kernel.until(lambda: "no local endpoints" in kernel.rules.save("filter"))
        assert (await get(ports[32000], "/"))[0] == 503
        assert (await get(ports[10249], "/nosuch"))[0] == 404


async def test_a_mode_that_cannot_begin_gives_way_to_iptables_and_says_so(api, kernel, make):
    api.put(SERVICES, make.service("svc1", "10.96.0.41"))
    async with running(api, kernel, make, mode="nftables") as proxy:
        assert "10.96.0.41" in kernel.rules.save("filter")
        assert proxy.mode == "iptables"
        assert proxy.detail.startswith("in place of nftables: mode nftables needs the program nft")
