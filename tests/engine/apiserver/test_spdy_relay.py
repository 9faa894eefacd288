"""A client that streams over SPDY: the server hands its bytes to the kubelet and back."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from aiohttp import web

from kubelab.engine.apiserver.spdy_relay import relay_spdy
from kubelab.engine.apiserver.status import StatusError

UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
ASKED = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"


class Kubelet:
    """Takes one request and answers what the test says; after 101 it sends back what it gets, in capitals."""

    def __init__(self) -> None:
        self.answer = UPGRADED + b"X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n"
        self.heard = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard = await reader.readuntil(b"\r\n\r\n")
        writer.write(self.answer)
        while data := await reader.read(1000):
            writer.write(data.upper())
        writer.close()


@pytest.fixture
async def kubelet():
    made = Kubelet()
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made


@pytest.fixture
async def client(kubelet):
    """A connection to a server that relays all it gets."""
    tls: ssl.SSLContext | None = None

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        try:
            query = [("command", "a b")]
            return await relay_spdy(request, f"http://127.0.0.1:{kubelet.port}", "/exec/default/web/web", query, tls)
        except StatusError as error:
            answer = error.response()
            return web.Response(status=answer.status, body=answer.body)

    server = web.Server(handle, handler_cancellation=True)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
    yield reader, writer
    writer.close()
    await writer.wait_closed()
    listening.close()
    await server.shutdown()


async def test_bytes_pass_both_ways_after_the_kubelet_has_agreed(kubelet, client):
    reader, writer = client
    writer.write(ASKED + b"X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n")
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(UPGRADED)
        assert b"X-Stream-Protocol-Version: v4.channel.k8s.io" in head
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"HELLO"
    assert kubelet.heard.startswith(b"POST /exec/default/web/web?command=a+b HTTP/1.1\r\n")
    assert b"X-Stream-Protocol-Version: v4.channel.k8s.io" in kubelet.heard


async def test_what_the_kubelet_refuses_is_a_status(kubelet, client):
    reader, writer = client
    kubelet.answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot there"
    writer.write(ASKED + b"\r\n")
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 404")
        await reader.readuntil(b"unable to upgrade connection: not there")
