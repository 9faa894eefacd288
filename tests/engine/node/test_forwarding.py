"""port-forward as kubectl speaks it: SPDY in a websocket's messages, or on the connection itself."""

from __future__ import annotations

import asyncio
import socket

import pytest
from aiohttp.test_utils import TestClient, TestServer

from tests.engine.node.spdy_client import DATA, PING, RST_STREAM, SYN_REPLY, Frame, SpdyClient

TUNNEL = "SPDY/3.1+portforward.k8s.io"


async def heard(peer: socket.socket) -> bytes:
    """The next bytes at the pod's end."""
    async with asyncio.timeout(5):
        return await asyncio.get_running_loop().sock_recv(peer, 100)


class Forward:
    """kubectl's end of one forwarding."""

    def __init__(self, send, receive) -> None:
        self._send, self._receive = send, receive
        self.spdy = SpdyClient()
        self._frames: list[Frame] = []

    async def send(self, data: bytes) -> None:
        await self._send(data)

    async def connect(self, port: str, request: int = 0) -> tuple[int, int]:
        """Open the two streams of one connection; the numbers of its error and its data stream."""
        numbers = []
        for kind in ("error", "data"):
            number, frame = self.spdy.open(streamType=kind, port=port, requestID=str(request))
            await self.send(frame)
            numbers.append(number)
        await self.send(self.spdy.data(numbers[0], last=True))  # as kubectl: it has nothing to say there
        return numbers[0], numbers[1]

    async def until_ended(self, stream: int) -> bytes:
        """What comes on a stream until its end."""
        got = b""
        async with asyncio.timeout(5):
            while True:
                for frame in [each for each in self._frames if (each.kind, each.stream) == (DATA, stream)]:
                    self._frames.remove(frame)
                    got += frame.data
                    if frame.last:
                        return got
                self._frames += self.spdy.frames(await self._receive())

    async def until(self, kind: int) -> Frame:
        """The next frame of a kind."""
        async with asyncio.timeout(5):
            while not (found := [each for each in self._frames if each.kind == kind]):
                self._frames += self.spdy.frames(await self._receive())
        self._frames.remove(found[0])
        return found[0]


@pytest.fixture
async def kubelet(lab):
    async with lab.agent() as agent:
        lab.make()
        await lab.running()
        async with TestClient(TestServer(agent.server.application())) as client:
            yield client


@pytest.fixture
async def forward(kubelet):
    async with kubelet.ws_connect("/portForward/default/web", protocols=[TUNNEL]) as tunnel:
        assert tunnel.protocol == TUNNEL
        yield Forward(tunnel.send_bytes, tunnel.receive_bytes)


async def test_every_connection_is_a_pair_of_streams(lab, forward):
    lab.network.answers["127.0.0.1", 80] = b"HTTP/1.1 200 OK\r\n\r\n"
    for request in range(2):
        error, data = await forward.connect("80", request)
        assert {(await forward.until(SYN_REPLY)).stream, (await forward.until(SYN_REPLY)).stream} == {error, data}
        await forward.send(forward.spdy.data(data, b"GET / HTTP/1.1\r\n\r\n"))
        peer = await lab.network.peer(request)
        assert await heard(peer) == b"GET / HTTP/1.1\r\n\r\n"
        await forward.send(forward.spdy.data(data, last=True))
        assert await heard(peer) == b""  # the client's end is the pod's too
        peer.close()
        assert await forward.until_ended(data) == b"HTTP/1.1 200 OK\r\n\r\n"
        assert await forward.until_ended(error) == b""


async def test_a_closed_port_is_told_on_the_error_stream_and_the_others_go_on(lab, forward):
    error, data = await forward.connect("81")
    text = (await forward.until_ended(error)).decode()
    assert text.startswith("error forwarding port 81 to pod/uid-web: failed to connect to localhost:81")
    assert text.endswith("connect: connection refused")
    assert await forward.until_ended(data) == b""
    lab.network.answers["127.0.0.1", 80] = b"hello"
    _, data = await forward.connect("80", 1)
    (await lab.network.peer(0)).close()
    assert await forward.until_ended(data) == b"hello"
    error, _ = await forward.connect("none", 2)
    assert b"'none' is not a number" in await forward.until_ended(error)


async def test_a_connection_that_the_client_resets_ends_in_the_pod(lab, forward):
    lab.network.answers["127.0.0.1", 80] = b""
    _, data = await forward.connect("80")
    peer = await lab.network.peer(0)
    await forward.send(forward.spdy.control(RST_STREAM, data.to_bytes(4, "big") + bytes(4)))
    assert await heard(peer) == b""


async def test_a_ping_is_answered_and_a_stream_of_no_kind_refused(forward):
    await forward.send(forward.spdy.control(PING, b"\0\0\0\x07"))
    assert (await forward.until(PING)).data == b"\0\0\0\x07"
    number, frame = forward.spdy.open(streamType="other")
    await forward.send(frame)
    assert (await forward.until(RST_STREAM)).stream == number


async def test_what_is_not_spdy_ends_only_its_own_session(kubelet):
    async with kubelet.ws_connect("/portForward/default/web", protocols=[TUNNEL]) as tunnel:
        await tunnel.send_bytes(b"\xffGET / HTTP/1.1\r\n\r\n")
        await tunnel.receive()
        assert tunnel.closed
    assert (await kubelet.get("/healthz")).status == 200


async def test_a_pod_that_is_not_there_is_refused_before_the_upgrade(kubelet):
    headers = {"Upgrade": "SPDY/3.1", "Connection": "Upgrade"}
    assert (await kubelet.post("/portForward/default/none", headers=headers)).status == 404


@pytest.fixture
async def raw(kubelet):
    """A bare connection to the kubelet: send a request's path, get its head back."""
    reader, writer = await asyncio.open_connection(kubelet.host, kubelet.port)

    async def begin(path: str, version: str) -> tuple[str, Forward]:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
        writer.write(f"{head}X-Stream-Protocol-Version: {version}\r\nContent-Length: 0\r\n\r\n".encode())
        answer = (await reader.readuntil(b"\r\n\r\n")).decode()

        async def send(data: bytes) -> None:
            writer.write(data)

        async def receive() -> bytes:
            return await reader.read(65536)

        return answer, Forward(send, receive)

    yield begin
    writer.close()
    await writer.wait_closed()


async def test_kube_apiserver_forwards_over_spdy_itself(lab, raw):
    head, forward = await raw("/portForward/default/web", "portforward.k8s.io")
    assert head.startswith("HTTP/1.1 101 ")
    assert "X-Stream-Protocol-Version: portforward.k8s.io" in head
    lab.network.answers["127.0.0.1", 80] = b"hello"
    _, data = await forward.connect("80")
    (await lab.network.peer(0)).close()
    assert await forward.until_ended(data) == b"hello"


async def test_a_command_runs_over_spdy(lab, raw):
    query = "?command=cat&input=1&output=1&error=1"
    head, client = await raw(f"/exec/default/web/web{query}", "v4.channel.k8s.io")
    assert "X-Stream-Protocol-Version: v4.channel.k8s.io" in head
    numbers = {}
    for kind in ("error", "stdin", "stdout", "stderr"):
        numbers[kind], frame = client.spdy.open(streamType=kind)
        await client.send(frame)
    await lab.eventually(lambda: lab.network.processes[-1].program.argv == ["cat"])
    process = lab.network.processes[-1]
    await client.send(client.spdy.data(numbers["stdin"], b"hello"))
    await client.send(client.spdy.data(numbers["stdin"], last=True))
    await lab.settle()
    assert (process.hear(), process.hear()) == (b"hello", b"")
    process.say("out")
    process.say("err", stream=2)
    process.exit(3)
    assert await client.until_ended(numbers["stdout"]) == b"out"
    assert await client.until_ended(numbers["stderr"]) == b"err"
    assert b"exit status 3" in await client.until_ended(numbers["error"])


async def test_a_spdy_client_that_goes_takes_its_command_along(lab, kubelet):
    reader, writer = await asyncio.open_connection(kubelet.host, kubelet.port)
    head = "POST /exec/default/web/web?command=sleep&output=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
    head += "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v5.channel.k8s.io, v4.channel.k8s.io\r\n\r\n"
    writer.write(head.encode())
    await reader.readuntil(b"\r\n\r\n")
    spdy = SpdyClient()
    for kind in ("error", "stdout"):
        writer.write(spdy.open(streamType=kind)[1])
    await lab.eventually(lambda: lab.network.processes[-1].program.argv == ["sleep"])
    writer.close()
    await writer.wait_closed()
    await lab.eventually(lambda: lab.network.processes[-1].signals)
