"""Which nodes a load balancer's address leads to."""

from __future__ import annotations

import asyncio
import socket

import pytest

from kubelab.engine.apiserver import ApiServer
from kubelab.engine.balancer import LoadBalancer
from kubelab.engine.balancer.balancer import EXCLUDE_LABEL, checks_of
from kubelab.engine.client import Client, InProcessTransport
from kubelab.engine.client.resources import NODES, SERVICES


def node(name: str, ip: str, **meta) -> dict:
    return {"metadata": {"name": name, **meta}, "status": {"addresses": [{"type": "InternalIP", "address": ip}]}}


def service(ip: str = "172.18.255.1", *, status: bool = True, **spec) -> dict:
    spec = {"type": "LoadBalancer", **spec}
    ingress = [{"ip": ip, "ipMode": "VIP"}] if status else []
    return {"metadata": {"name": "web"}, "spec": spec, "status": {"loadBalancer": {"ingress": ingress}}}


NODES_OF_KIND = [
    node("control-plane", "172.18.0.2", labels={EXCLUDE_LABEL: ""}),
    node("worker", "172.18.0.3"),
    node("leaving", "172.18.0.4", deletionTimestamp="2026-01-01T00:00:00Z"),
]


def test_kube_proxys_health_decides_and_with_local_the_services_own():
    assert checks_of([service()], NODES_OF_KIND) == {"172.18.255.1": {"worker": ("172.18.0.3", 10256)}}
    local = service(externalTrafficPolicy="Local", healthCheckNodePort=31000)
    assert checks_of([local], NODES_OF_KIND) == {"172.18.255.1": {"worker": ("172.18.0.3", 31000)}}


@pytest.mark.parametrize(
    "other",
    [
        service(type="NodePort"),
        service(loadBalancerClass="example.com/lb"),
        service(status=False),
        service("192.0.2.1"),
    ],
)
def test_nobody_elses_address_is_balanced(other):
    assert checks_of([other], NODES_OF_KIND) == {}


class Street:
    """A network in which nodes answer health checks, and which keeps what it was told."""

    def __init__(self) -> None:
        self.healthy: dict[str, int] = {}
        self.told: asyncio.Queue[dict[str, list[str]]] = asyncio.Queue()

    async def balance(self, addresses) -> None:
        self.told.put_nowait(dict(addresses))

    async def connect(self, place, ip, port, *, timeout_seconds):
        ours, theirs = socket.socketpair()
        for each in (ours, theirs):
            each.setblocking(False)
        status = self.healthy[ip]
        loop = asyncio.get_running_loop()

        async def answer() -> None:
            with theirs:
                await loop.sock_recv(theirs, 1000)
                await loop.sock_sendall(theirs, f"HTTP/1.1 {status} X\r\n\r\n".encode())

        self._task = loop.create_task(answer())
        return ours


@pytest.fixture
async def client():
    server = ApiServer.open(":memory:")
    client = Client(InProcessTransport(server, "kubernetes-admin"))
    yield client
    await server.close()


async def test_traffic_follows_the_health_of_nodes(client, jumping_clock):
    street = Street()
    street.healthy = {"172.18.0.3": 200, "172.18.0.4": 503}
    for name, ip in (("a", "172.18.0.3"), ("b", "172.18.0.4")):
        made = await client.create(NODES, {"metadata": {"name": name}})
        await client.update(NODES, {**made, **node(name, ip), "metadata": made["metadata"]}, subresource="status")
    wish = {"metadata": {"name": "web", "namespace": "default"}}
    made = await client.create(SERVICES, {**wish, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}})
    running = asyncio.create_task(LoadBalancer(client, street).run())
    try:
        await client.update(SERVICES, {**made, "status": service()["status"]}, subresource="status")
        assert await street.told.get() == {"172.18.255.1": ["a"]}
        street.healthy["172.18.0.4"] = 200
        assert await street.told.get() == {"172.18.255.1": ["a", "b"]}
        street.healthy = dict.fromkeys(street.healthy, 500)
        assert await street.told.get() == {"172.18.255.1": []}
        await client.delete(SERVICES, "web", "default")
        assert await street.told.get() == {}
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
