from __future__ import annotations

import asyncio
import gzip
import io
import json
import ssl
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from kubelab.engine.apiserver import ApiServer, ApiServerSettings
from kubelab.engine.client import ApiError, Client, HttpsTransport
from kubelab.engine.client.resources import CONFIGMAPS

AUTHORIZED = {"Authorization": "Bearer a-token"}


@pytest.fixture
async def session(https, tls_folder):
    context = ssl.create_default_context(cafile=str(tls_folder / "ca.crt"))
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(f"https://127.0.0.1:{https}", connector=connector) as session:
        yield session


async def test_the_engines_own_client_over_https(https, tls_folder) -> None:
    client = Client(HttpsTransport(f"https://127.0.0.1:{https}", ca_file=str(tls_folder / "ca.crt"), token="a-token"))
    try:
        version = (await client.list(CONFIGMAPS))["metadata"]["resourceVersion"]
        events = client.watch(CONFIGMAPS, resource_version=version)
        await client.create(CONFIGMAPS, {"metadata": {"name": "a"}}, "default")
        kind, seen = await asyncio.wait_for(anext(events), 5)
        assert (kind, seen["metadata"]["name"]) == ("ADDED", "a")
        await events.aclose()
        with pytest.raises(ApiError, match="NotFound"):
            await client.get(CONFIGMAPS, "nope", "default")
    finally:
        await client.close()


@pytest.mark.parametrize("header", ["kubelab-in-process-user", "Kubelab-Certificate-Subject"])
async def test_nobody_on_the_network_is_a_component_of_this_process(session, header) -> None:
    async with session.get("/api/v1/pods", headers={header: "kubernetes-admin"}) as answer:
        assert answer.status == 403
        assert "system:anonymous" in (await answer.json())["message"]


async def test_a_watch_whose_client_has_gone_is_forgotten(session, server) -> None:
    async with session.get("/api/v1/configmaps?watch=1&resourceVersion=0", headers=AUTHORIZED) as answer:
        assert answer.status == 200
        streams = server._hub._streams["/configmaps"]
        assert len(streams) == 1
        answer.close()
    async with asyncio.timeout(5):
        while len(streams):  # noqa: ASYNC110 a weak set tells nobody
            await asyncio.sleep(0.01)


async def test_bodies_that_are_too_large_are_refused(session) -> None:
    body = io.BytesIO(b" " * (3 * 1024 * 1024 + 1))
    async with session.post("/api/v1/namespaces/default/configmaps", data=body, headers=AUTHORIZED) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (413, "RequestEntityTooLarge")

    async def endless():
        for _ in range(5):
            yield b" " * 1024 * 1024

    async with session.post("/api/v1/namespaces/default/configmaps", data=endless(), headers=AUTHORIZED) as answer:
        assert answer.status == 413


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\nName : value\r\n\r\n", b"\x16\x03\x01", b"GET x:1 HTTP/1.1\r\n\r\n"]
)
async def test_what_is_no_http_gets_a_400_and_no_traceback_in_the_log(https, tls_folder, caplog, said) -> None:
    context = ssl.create_default_context(cafile=str(tls_folder / "ca.crt"))
    reader, writer = await asyncio.open_connection("127.0.0.1", https, ssl=context)
    writer.write(said)
    assert (await reader.read(15)).endswith(b" 400 Ba")
    writer.close()
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_compressed_body_is_not_read_and_no_fault(session, caplog) -> None:
    headers = {**AUTHORIZED, "Content-Encoding": "gzip", "Content-Type": "application/json"}
    for body in (b"no gzip", gzip.compress(b"{}")):
        async with session.post("/api/v1/namespaces/default/configmaps", data=body, headers=headers) as answer:
            assert (answer.status, (await answer.json())["reason"]) == (400, "BadRequest")
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_long_selector_is_read(session) -> None:
    selector = f"name in ({','.join(f'n{number}' for number in range(3000))})"
    async with session.get("/api/v1/configmaps", params={"labelSelector": selector}, headers=AUTHORIZED) as answer:
        assert (answer.status, answer.headers["cache-control"]) == (200, "no-cache, private")


async def test_an_escaped_path_is_read(session) -> None:
    async with session.get("/api/v1/namespaces/default/configmaps/a%2Fb%20c", headers=AUTHORIZED) as answer:
        assert (await answer.json())["message"] == 'configmaps "a/b c" not found'


# -- what a node answers -----------------------------------------------------------------------


class Kubelet:
    """A node agent that answers with what it was asked."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.asked: list[str] = []

    async def logs(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        if "follow" not in request.query:
            return web.Response(text="all of it\n")
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first\n")
        await self.release.wait()
        await response.write(b"second\n")
        return response

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        self.asked.append(request.path_qs)
        socket = web.WebSocketResponse(protocols=["v5.channel.k8s.io"])
        await socket.prepare(request)
        async for message in socket:
            await socket.send_bytes(b"\x01" + message.data[1:].upper())
            if message.data[1:] == b"exit":
                await socket.send_bytes(b'\x03{"status":"Success"}')
                break
        await socket.close()
        return socket


@pytest.fixture
async def kubelet(tls_folder: Path, clock, tmp_path):
    from tests.engine.apiserver.network import loopback, server_tls

    kubelet = Kubelet()
    app = web.Application()
    app.router.add_get("/containerLogs/default/web/main", kubelet.logs)
    app.router.add_get("/exec/default/web/main", kubelet.stream)
    app.router.add_get("/portForward/default/web", kubelet.stream)
    runner = web.AppRunner(app)
    await runner.setup()
    sock = loopback()
    await web.SockSite(runner, sock, ssl_context=server_tls(tls_folder)).start()
    kubelet.port = sock.getsockname()[1]
    yield kubelet
    kubelet.release.set()
    await runner.cleanup()


@pytest.fixture
async def placed(api, make, kubelet):
    status = {
        "addresses": [{"type": "InternalIP", "address": "172.18.0.3"}, {"type": "ExternalDNS", "address": "localhost"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet.port}},
    }
    await api.post("/api/v1/nodes", {"metadata": {"name": "n1"}, "status": status})
    await api.post("/api/v1/namespaces/default/pods", make.pod(nodeName="n1"))
    return kubelet


async def test_logs_come_from_the_pods_node(session, placed) -> None:
    path = "/api/v1/namespaces/default/pods/web/log"
    async with session.get(f"{path}?tailLines=5&bogus=1", headers=AUTHORIZED) as answer:
        assert (answer.status, await answer.text()) == (200, "all of it\n")
    assert placed.asked == ["/containerLogs/default/web/main?tailLines=5"]


async def test_a_followed_log_comes_as_it_is_written(session, placed) -> None:
    path = "/api/v1/namespaces/default/pods/web/log?follow=true"
    async with session.get(path, headers=AUTHORIZED) as answer:
        assert await asyncio.wait_for(answer.content.readline(), 5) == b"first\n"
        placed.release.set()
        assert await asyncio.wait_for(answer.content.readline(), 5) == b"second\n"


async def test_exec_is_handed_through(session, placed) -> None:
    path = "/api/v1/namespaces/default/pods/web/exec?command=cat&command=-n&stdin=true&stdout=true"
    protocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"]
    async with session.ws_connect(path, headers=AUTHORIZED, protocols=protocols) as stream:
        assert stream.protocol == "v5.channel.k8s.io"
        await stream.send_bytes(b"\x00hello")
        assert await stream.receive_bytes(timeout=5) == b"\x01HELLO"
        await stream.send_bytes(b"\x00exit")
        assert await stream.receive_bytes(timeout=5) == b"\x01EXIT"
        assert json.loads((await stream.receive_bytes(timeout=5))[1:]) == {"status": "Success"}
        assert (await stream.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE
    assert placed.asked == ["/exec/default/web/main?command=cat&command=-n&input=1&output=1"]


async def test_exec_without_a_websocket_or_a_token_is_refused(session, placed) -> None:
    path = "/api/v1/namespaces/default/pods/web/exec?command=cat"
    async with session.post(path, headers=AUTHORIZED) as answer:
        assert (answer.status, (await answer.json())["message"]) == (400, "Upgrade request required")
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await session.ws_connect(path)
    assert refused.value.status == 403


async def test_a_node_that_does_not_answer_is_an_internal_error_in_one_sentence(api, session, make) -> None:
    status = {
        "addresses": [{"type": "ExternalDNS", "address": "localhost"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 1}},
    }
    await api.post("/api/v1/nodes", {"metadata": {"name": "n1"}, "status": status})
    await api.post("/api/v1/namespaces/default/pods", make.pod(nodeName="n1"))
    async with session.get("/api/v1/namespaces/default/pods/web/log", headers=AUTHORIZED) as answer:
        body = await answer.json()
    assert (answer.status, body["reason"]) == (500, "InternalError")
    assert "/containerLogs/default/web/main" in body["message"]


async def test_opening_takes_no_time_to_speak_of(tmp_path) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    server = ApiServer.open(tmp_path / "db", ApiServerSettings())
    took = loop.time() - begun
    await server.close()
    assert took < 0.3
