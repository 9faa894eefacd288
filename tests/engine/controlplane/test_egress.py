"""kube-apiserver's way into the network, and the way of others to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import stat
from pathlib import Path

import pytest

from kubelab.engine.controlplane.upstream.egress import Egress, parse
from kubelab.engine.controlplane.upstream.relay import Relay
from kubelab.engine.network.contract import NetworkLost


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"heard " + await reader.read())
    await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def echoing():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


class Network:
    """Every address leads to one port of this machine."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.dialled: list[tuple[str, int]] = []

    async def dial(self, address: str, port: int) -> socket.socket:
        self.dialled.append((address, port))
        if address == "10.96.0.99":
            raise NetworkLost("it has gone")
        connection = socket.socket()
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self.port))
        return connection


@contextlib.asynccontextmanager
async def egress(tmp_path: Path):
    async with echoing() as port:
        network = Network(port)
        proxy = Egress(tmp_path / "egress.sock", network.dial)
        await proxy.open()
        try:
            yield network, tmp_path / "egress.sock"
        finally:
            await proxy.close()


async def ask(path: Path, head: str, more: bytes = b"") -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(f"{head}\r\nHost: 127.0.0.1\r\n\r\n".encode() + more)
    writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


async def test_an_address_of_the_cluster_is_dialled_in_its_network(tmp_path):
    async with egress(tmp_path) as (network, path):
        said = await ask(path, "CONNECT 10.244.1.2:8443 HTTP/1.1", b"a review")
    assert network.dialled == [("10.244.1.2", 8443)]
    assert said == b"HTTP/1.1 200 Connection established\r\n\r\nheard a review"


async def test_a_node_agent_is_reached_on_the_machine(tmp_path):
    async with egress(tmp_path) as (network, path):
        said = await ask(path, f"CONNECT localhost:{network.port} HTTP/1.1", b"logs")
    assert network.dialled == []
    assert said.endswith(b"\r\n\r\nheard logs")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET / HTTP/1.1", b"400 Bad Request"),
        ("CONNECT 10.96.0.99:443 HTTP/1.1", b"502 Bad Gateway"),
        ("CONNECT hook.example:443 HTTP/1.1", b"502 Bad Gateway"),
    ],
)
async def test_what_cannot_be_reached_is_refused(tmp_path, head, status):
    async with egress(tmp_path) as (_, path):
        assert (await ask(path, head)).startswith(b"HTTP/1.1 " + status)


async def test_only_the_owner_may_use_it_and_nothing_is_left_of_it(tmp_path):
    async with egress(tmp_path) as (_, path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_a_socket_that_a_dead_engine_left_is_replaced(tmp_path):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "egress.sock"))
    async with egress(tmp_path) as (_, path):
        assert b"400" in await ask(path, "NONSENSE")


@pytest.mark.parametrize(
    ("line", "target"),
    [
        (b"CONNECT 172.18.0.3:10250 HTTP/1.1", ("172.18.0.3", 10250)),
        (b"CONNECT [fd00::1]:443 HTTP/1.1", ("fd00::1", 443)),
        (b"CONNECT 172.18.0.3 HTTP/1.1", None),
        (b"CONNECT 172.18.0.3:99999 HTTP/1.1", None),
        (b"POST / HTTP/1.1", None),
    ],
)
def test_the_target_is_read_from_the_request_line(line, target):
    assert parse(line + b"\r\nHost: x\r\n\r\n") == target


async def test_a_relay_carries_both_ways_and_knows_when_somebody_came():
    async with echoing() as port:
        listener = socket.create_server(("127.0.0.1", 0))
        relay = await Relay.open(listener, "127.0.0.1", port)
        before = relay.last_request
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(b"hello")
        writer.write_eof()
        assert await reader.read() == b"heard hello"
        assert relay.last_request > before
        writer.close()
        await relay.close()


async def test_while_nobody_answers_behind_a_relay_who_comes_is_hung_up_on():
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = free.getsockname()[1]
    listener = socket.create_server(("127.0.0.1", 0))
    relay = await Relay.open(listener, "127.0.0.1", nobody)
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    await relay.close()
