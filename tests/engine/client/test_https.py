"""The API over a connection, here without TLS to a server that answers with what it is given."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from kubelab.engine.client import ApiError, Client, HttpsTransport
from kubelab.engine.client.resources import PODS


class Server:
    """Sends the same answer on every connection and closes it; keeps the requests."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.requests: list[str] = []

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(self._answer)
        await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def talking_to(server: Server, monkeypatch):
    monkeypatch.setattr("ssl.create_default_context", lambda **_: None)
    listening = await asyncio.start_server(server.connection, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    client = Client(HttpsTransport(f"https://127.0.0.1:{port}", ca_file="ca.crt", token="secret", user_agent="test"))
    try:
        yield client
    finally:
        await client.close()
        listening.close()
        await listening.wait_closed()


def sized(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def chunked(*chunks: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n" for chunk in chunks)


EVENT = b'{"type":"ADDED","object":{"metadata":{"name":"web"}}}\n'


async def names(client: Client) -> list[str]:
    return [obj["metadata"]["name"] async for _, obj in client.watch(PODS, resource_version="1")]


async def test_a_request_carries_the_token_and_the_query(monkeypatch):
    server = Server(sized(b'{"items": []}'))
    async with talking_to(server, monkeypatch) as client:
        assert await client.list(PODS, query=(("labelSelector", "!a,b=c"),)) == {"items": []}
    (request,) = server.requests
    assert request.startswith("GET /api/v1/pods?labelSelector=%21a%2Cb%3Dc HTTP/1.1\r\n")
    assert "\r\nauthorization: Bearer secret\r\n" in request


async def test_a_refusal_is_an_api_error(monkeypatch):
    refusal = sized(b'{"reason": "Expired", "message": "too old"}', "410 Gone")
    async with talking_to(Server(refusal), monkeypatch) as client:
        for call in (client.list(PODS), names(client)):
            with pytest.raises(ApiError, match=r"Expired \(410\): too old"):
                await call


async def test_events_are_read_whole_however_they_are_cut(monkeypatch):
    async with talking_to(Server(chunked(EVENT[:10], EVENT[10:] + EVENT) + b"0\r\n\r\n"), monkeypatch) as client:
        assert await names(client) == ["web", "web"]


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200", chunked(EVENT), sized(EVENT)[:-5]])
async def test_an_answer_that_breaks_off_is_a_lost_connection(monkeypatch, answer):
    async with talking_to(Server(answer), monkeypatch) as client:
        with pytest.raises(ConnectionError, match="the answer broke off"):
            await names(client)


class Patient:
    """Answers as many requests on a connection as come; counts the connections."""

    def __init__(self) -> None:
        self.connections = 0
        self.left = asyncio.Event()

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(chunked(b'{"items": []}') + b"0\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        self.left.set()


async def test_one_connection_after_the_other_serves_many_requests(monkeypatch):
    server = Patient()
    async with talking_to(server, monkeypatch) as client:
        for _ in range(3):
            assert await client.list(PODS) == {"items": []}
        await client.close()
        await server.left.wait()
    assert server.connections == 1


async def test_a_connection_that_the_server_has_given_up_is_not_used_again(monkeypatch):
    server = Server(sized(b'{"items": []}'))
    async with talking_to(server, monkeypatch) as client:
        for _ in range(3):
            assert await client.list(PODS) == {"items": []}
    assert len(server.requests) == 3


class HangsUp:
    """Answers a first request on a connection, and hangs up on the second one before it says anything."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            for body in (sized(b"{}"), b""):
                writer.write(await self._answer(reader, body))
        writer.close()
        await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, body: bytes) -> bytes:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head.split()[0])
        await reader.readexactly(int(head.split("content-length: ")[1].split()[0]))
        return body


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_what_may_be_done_twice_is_asked_again_of_a_server_that_hung_up(monkeypatch, method):
    server = HangsUp()
    async with talking_to(server, monkeypatch) as client:
        for _ in range(2):
            assert await client.send(method, "/api/v1/nodes/a", body={}) == {}
    assert server.asked == [method] * 3


async def test_nothing_is_created_twice(monkeypatch):
    server = HangsUp()
    async with talking_to(server, monkeypatch) as client:
        await client.send("POST", "/api/v1/pods", body={})
        with pytest.raises(ConnectionError):
            await client.send("POST", "/api/v1/pods", body={})
    assert server.asked == ["POST"] * 2


async def test_a_server_that_is_not_there_is_a_lost_connection(monkeypatch):
    async with talking_to(Server(b""), monkeypatch) as client:
        pass
    with pytest.raises(ConnectionError, match=r"GET https://127\.0\.0\.1:\d+/api/v1/pods: "):
        await client.list(PODS)


async def test_a_token_that_was_replaced_is_shown_from_then_on(tmp_path, monkeypatch):
    monkeypatch.setattr("ssl.create_default_context", lambda **_: None)
    server, token = Server(sized(b"{}")), tmp_path / "token"
    listening = await asyncio.start_server(server.connection, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    client = Client(HttpsTransport(url, ca_file="ca.crt", token=token))
    for each in ("first\n", "second\n"):
        token.write_text(each)
        await client.send("GET", "/version")
    await client.close()
    listening.close()
    await listening.wait_closed()
    shown = [line for request in server.requests for line in request.splitlines() if line.startswith("authorization")]
    assert shown == ["authorization: Bearer first", "authorization: Bearer second"]


async def test_who_asks_for_another_says_so(monkeypatch):
    monkeypatch.setattr("ssl.create_default_context", lambda **_: None)
    server = Server(sized(b"{}"))
    listening = await asyncio.start_server(server.connection, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    client = Client(HttpsTransport(url, ca_file="ca.crt", impersonate="system:serviceaccount:kube-system:gc"))
    await client.send("GET", "/version")
    await client.close()
    listening.close()
    await listening.wait_closed()
    assert "impersonate-user: system:serviceaccount:kube-system:gc" in server.requests[0]
