"""An API server whose way to pods leads to servers of the test."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from kubelab.engine.apiserver import ApiServer, ApiServerSettings
from kubelab.engine.apiserver.settings import dial_directly
from kubelab.engine.client import Client, InProcessTransport
from kubelab.engine.client.resources import SERVICEACCOUNTS
from tests.engine.apiserver.network import TOKEN, loopback, server_tls

SERVICES = "/api/v1/namespaces/default/services"
PODS = "/api/v1/namespaces/default/pods"


class Pods:
    """``host:port`` of the cluster's network → a port of this machine. Where nothing stands, nobody answers."""

    def __init__(self) -> None:
        self.servers: dict[str, int] = {}

    async def dial(self, host: str, port: int) -> socket.socket:
        if f"{host}:{port}" not in self.servers:
            raise ConnectionRefusedError(111, "Connection refused")
        return await dial_directly("127.0.0.1", self.servers[f"{host}:{port}"])


@pytest.fixture
def pods() -> Pods:
    return Pods()


@pytest.fixture
async def server(clock, tls_folder, pods) -> AsyncIterator[ApiServer]:
    kubelets = ssl.create_default_context(cafile=str(tls_folder / "ca.crt"))
    tokens = {TOKEN: "kubernetes-admin", "another-token": "jane"}
    server = ApiServer.open(
        ":memory:", ApiServerSettings(tokens=tokens, clock=clock, kubelet_tls=kubelets, dial=pods.dial)
    )
    client = Client(InProcessTransport(server, "kubernetes-admin"))
    await client.create(SERVICEACCOUNTS, {"metadata": {"name": "default"}}, "default")
    yield server
    await server.close()


@pytest.fixture
async def session(https, tls_folder) -> AsyncIterator[aiohttp.ClientSession]:
    """The administrator's connections."""
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(tls_folder / "ca.crt")))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(f"https://127.0.0.1:{https}", connector=connector, headers=headers) as session:
        yield session


Answering = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@pytest.fixture
async def serve(pods, tls_folder) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """Let a handler answer at an address of the cluster's network."""
    serving = []

    async def begin(where: str, handler: Answering, *, tls: bool = False) -> None:
        server, sock = web.Server(handler), loopback()
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(server, sock=sock, ssl=server_tls(tls_folder) if tls else None)
        pods.servers[where] = sock.getsockname()[1]
        serving.append((server, listening))

    yield begin
    for server, listening in serving:
        listening.close()
        await server.shutdown(0.1)


@pytest.fixture
def place(api, make):
    """Put a pod where it has an address: ``await place("web", "10.244.1.5", containers=[…])``."""

    async def put(name: str, ip: str, **spec) -> None:
        assert (await api.post(PODS, make.pod(name, nodeName="n1", **spec))).code == 201
        status = {"status": {"podIP": ip, "podIPs": [{"ip": ip}]}}
        assert (await api.patch(f"{PODS}/{name}/status", status)).code == 200

    return put


@pytest.fixture
def expose(api, make):
    """A Service and its Endpoints: ``await expose("web", [{"port": 80}], subsets)``."""

    async def put(name: str, ports: list, subsets: list) -> None:
        assert (await api.post(SERVICES, make.service(name, ports=ports))).code == 201
        endpoints = {"metadata": {"name": name}, "subsets": subsets}
        assert (await api.post("/api/v1/namespaces/default/endpoints", endpoints)).code == 201

    return put


@pytest.fixture
def subset():
    """A subset of Endpoints: pods' names with their addresses, and ports' names with their numbers."""

    def of(addresses: dict[str, str], ports: dict[str, int], **more) -> dict:
        targets = [
            {"ip": ip, "targetRef": {"kind": "Pod", "namespace": "default", "name": name}}
            for name, ip in addresses.items()
        ]
        numbers = [{"port": number, **({"name": name} if name else {})} for name, number in ports.items()]
        return {"addresses": targets, "ports": numbers, **more}

    return of
