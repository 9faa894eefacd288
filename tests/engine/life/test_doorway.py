"""Ports of the machine that lead to the ingress."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest

from kubelab.engine.doorway import Doorway
from kubelab.engine.network.contract import OUTSIDE
from kubelab.engine.state import StateDir

ADDRESS = "172.18.255.1"


class Street:
    """Leads every connection to one server of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.asked: list[tuple] = []
        self.came = asyncio.Event()

    async def connect(self, place, ip, port, *, timeout_seconds):
        self.asked.append((place, ip, port))
        self.came.set()
        made = socket.create_connection(("127.0.0.1", self._port))
        made.setblocking(False)
        return made


@pytest.fixture
def state(tmp_path: Path):
    state = StateDir(tmp_path / "state")
    state.create()
    return state


@pytest.fixture
async def street():
    """A server that answers with all that it was sent, once that has come to its end."""

    async def answer(reader, writer):
        writer.write(await reader.read())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield Street(server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()


def door(state, street, address=ADDRESS):
    async def known():
        return address

    return Doorway(state, (80, 443), lambda: street, known)


async def said(port, text=b""):
    """What is answered on a port of this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    writer.write_eof()
    try:
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_connection_leads_from_outside_to_the_load_balancer_and_each_side_ends_alone(state, street):
    doorway = door(state, street)
    await doorway.open()
    try:
        much = bytes(1 << 20)
        assert await said(doorway.ports[443], much) == much
        assert street.asked == [(OUTSIDE, ADDRESS, 443)]
    finally:
        await doorway.close()


async def test_the_ports_are_the_same_the_next_time_if_they_are_free(state, street):
    first = door(state, street)
    await first.open()
    await first.close()
    taken = first.ports[80]
    with socket.create_server(("127.0.0.1", taken)):
        second = door(state, street)
        await second.open()
        await second.close()
    assert second.ports[80] != taken
    assert second.ports[443] == first.ports[443]
    assert json.loads(state.loopback.read_text()) == {str(port): local for port, local in second.ports.items()}


@pytest.mark.parametrize("kept", ["", "[]", '{"80": 99999999}', '{"80": "x"}'])
async def test_what_is_kept_may_be_damaged(state, street, kept):
    state.loopback.write_text(kept)
    doorway = door(state, street)
    await doorway.open()
    await doorway.close()
    assert set(doorway.ports) == {80, 443}


async def test_who_comes_before_there_is_an_address_is_sent_away(state, street):
    doorway = door(state, street, address="")
    await doorway.open()
    try:
        assert await said(doorway.ports[80]) == b""
    finally:
        await doorway.close()


async def test_closing_hangs_up(state, street):
    doorway = door(state, street)
    await doorway.open()
    reader, writer = await asyncio.open_connection("127.0.0.1", doorway.ports[80])
    await street.came.wait()
    await doorway.close()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
