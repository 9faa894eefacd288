from __future__ import annotations

import asyncio
import os
import select
import socket
from pathlib import Path

import pytest

from kubelab.engine.control.client import Call, ControlError, EngineGone, EngineHangs, call
from kubelab.engine.control.server import Call as ServerCall
from kubelab.engine.control.server import ControlServer, Refused
from kubelab.engine.state import StateDir


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    state = StateDir(tmp_path / "demo")
    state.create()
    return state


@pytest.fixture
async def server(state):
    server = ControlServer(state)
    await server.start()
    yield server
    await server.close()
    assert not state.control.exists()


async def test_a_call_is_answered_with_what_its_handler_returns(state, server):
    async def double(call: ServerCall) -> dict:
        return {"twice": call.arguments["number"] * 2}

    server.on("double", double)
    assert await asyncio.to_thread(call, state, "double", {"number": 21}) == {"twice": 42}


async def test_an_answer_may_be_large(state, server):
    async def echo(call: ServerCall) -> dict:
        return call.arguments

    server.on("echo", echo)
    text = "iptables-save " * 200_000
    assert (await asyncio.to_thread(call, state, "echo", {"text": text}))["text"] == text


async def test_a_refusal_an_error_and_an_unknown_call_are_one_sentence_each(state, server, caplog):
    async def refuse(_: ServerCall) -> dict:
        raise Refused("There is no node 'x'; there are a, b.")

    async def fail(_: ServerCall) -> dict:
        raise ValueError("broken")

    server.on("refuse", refuse)
    server.on("fail", fail)
    with pytest.raises(ControlError, match=r"^There is no node"):
        await asyncio.to_thread(call, state, "refuse")
    with pytest.raises(ControlError, match=r"could not do 'fail': ValueError: broken$"):
        await asyncio.to_thread(call, state, "fail")
    assert "Traceback" in caplog.text
    with pytest.raises(ControlError, match=r"does not know 'fly'; it knows fail, refuse\."):
        await asyncio.to_thread(call, state, "fly")


async def test_descriptors_travel_with_a_call_and_are_closed_after_it(state, server):
    async def write(call: ServerCall) -> dict:
        os.write(call.files[0], b"hello")
        return {}

    server.on("write", write)
    mine, theirs = os.pipe()
    with await asyncio.to_thread(Call, state, "write", {}, [theirs]) as pending:
        os.close(theirs)
        await asyncio.to_thread(pending.result, 5)
    assert (os.read(mine, 10), os.read(mine, 10)) == (b"hello", b"")
    os.close(mine)


async def test_an_answer_may_be_there_before_the_call_has_been_sent_to_its_end(state, server, monkeypatch):
    async def answer(call: ServerCall) -> dict:
        return {"files": len(call.files)}

    send = socket.send_fds

    def send_and_be_hung_up_on(*message) -> int:
        sent = send(*message)
        other_side = select.poll()
        other_side.register(message[0], select.POLLHUP)
        assert other_side.poll(5000)
        return sent

    server.on("answer", answer)
    monkeypatch.setattr(socket, "send_fds", send_and_be_hung_up_on)
    with await asyncio.to_thread(Call, state, "answer", {}, [0]) as pending:
        assert await asyncio.to_thread(pending.result, 5) == {"files": 1}


async def test_signals_reach_the_handler_while_it_runs(state, server):
    async def until_signalled(call: ServerCall) -> dict:
        return {"signal": await call.signals.get()}

    server.on("wait", until_signalled)
    with await asyncio.to_thread(Call, state, "wait", {}) as pending:
        pending.signal(2)
        assert await asyncio.to_thread(pending.result, 5) == {"signal": 2}


async def test_a_client_that_hangs_up_cancels_its_handler(state, server):
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def for_ever(_: ServerCall) -> dict:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return {}

    server.on("wait", for_ever)
    pending = await asyncio.to_thread(Call, state, "wait", {})
    await started.wait()
    pending.close()
    await cancelled.wait()


async def test_a_client_gives_up_on_an_engine_that_hangs(state, server):
    async def for_ever(_: ServerCall) -> dict:
        await asyncio.Event().wait()
        return {}

    server.on("status", for_ever)
    with pytest.raises(EngineHangs, match="did not answer 'status' in time"):
        await asyncio.to_thread(call, state, "status", timeout_seconds=0.05)


async def test_an_engine_that_ends_during_a_call_is_gone_not_hanging(state, server):
    started = asyncio.Event()

    async def for_ever(_: ServerCall) -> dict:
        started.set()
        await asyncio.Event().wait()
        return {}

    server.on("status", for_ever)
    pending = asyncio.create_task(asyncio.to_thread(call, state, "status"))
    await started.wait()
    await server.close()
    with pytest.raises(EngineGone, match="ended during 'status'"):
        await pending


def test_without_an_engine_the_client_says_how_to_start_one(state):
    with pytest.raises(EngineGone, match="kubelab up"):
        call(state, "status")
    with pytest.raises(EngineGone, match="kubelab up"):
        call(StateDir(state.root / "absent"), "status")


async def test_a_socket_left_behind_is_replaced(state):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(state.control))
    with pytest.raises(EngineGone):
        call(state, "status")
    server = ControlServer(state)
    await server.start()
    with pytest.raises(ControlError, match="does not know"):
        await asyncio.to_thread(call, state, "status")
    await server.close()


async def test_a_state_directory_may_lie_deeper_than_a_socket_address_is_long(tmp_path):
    state = StateDir(tmp_path / ("d" * 120) / "demo")
    state.create()
    server = ControlServer(state)

    async def status(_: ServerCall) -> dict:
        return {"ready": True}

    server.on("status", status)
    await server.start()
    assert await asyncio.to_thread(call, state, "status") == {"ready": True}
    await server.close()


async def test_garbage_on_the_socket_harms_nobody(state, server):
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(stranger, str(state.control))
        await loop.sock_sendall(stranger, b"GET / HTTP/1.1\r\n\r\n")
        assert await loop.sock_recv(stranger, 10) == b""


async def test_the_time_of_the_last_call_is_known(state, server):
    before = server.last_call
    with pytest.raises(ControlError):
        await asyncio.to_thread(call, state, "anything")
    assert server.last_call > before
