"""exec, attach and port-forward, without a socket."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import pytest

from kubelab.engine.node import channels
from kubelab.engine.node.channels import Message
from kubelab.engine.node.kubelet_api import Refused
from kubelab.engine.node.sessions import Wanted


class Client:
    """The far end of a stream."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[Message | None] = asyncio.Queue()
        self.got: dict[int, bytes] = {}

    def type(self, channel: int, data: bytes) -> None:
        self.frames.put_nowait(Message(channel, data))

    async def send(self, channel: int, data: bytes) -> None:
        self.got[channel] = self.got.get(channel, b"") + data

    async def __aiter__(self):
        while (frame := await self.frames.get()) is not None:
            yield frame

    @property
    def status(self) -> dict:
        return json.loads(self.got[channels.ERROR])


async def execute(lab, agent, client, argv, **wanted):
    task = asyncio.create_task(agent.api.execute("default", "web", "web", argv, Wanted(**wanted), client))
    await lab.eventually(lambda: task.done() or lab.network.processes[-1].program.join is not None)
    return task, lab.network.processes[-1]


async def test_a_command_runs_in_the_pod_that_has_the_name_now_while_the_one_before_still_ends(lab):
    async with lab.agent() as agent:
        lab.make()
        old = await lab.running()
        lab.network.ignores = old.ignores = {signal.SIGTERM, signal.SIGKILL}
        lab.api.remove("pods", "default", "web")
        lab.make(meta={"uid": "uid-next"})
        await lab.eventually(lambda: len(lab.network.mains) == 2 and "running" in lab.api.container("web")["state"])
        task, process = await execute(lab, agent, Client(), ["ls"])
        assert process.program.join == lab.network.mains[-1].id != old.id
        process.exit(0)
        await task
        for each in lab.network.mains:
            each.exit(137)


async def test_a_command_runs_in_the_container_and_tells_how_it_ended(lab):
    async with lab.agent() as agent:
        lab.make()
        main = await lab.running()
        client = Client()
        task, process = await execute(lab, agent, client, ["ls", "-l"])
        assert process.program.join == main.id
        assert process.program.argv == ["ls", "-l"]
        process.say("out")
        process.say("err", stream=2)
        process.exit(3)
        await task
        assert (client.got[channels.STDOUT], client.got[channels.STDERR]) == (b"out", b"err")
        assert client.status == {
            "metadata": {},
            "status": "Failure",
            "message": "command terminated with non-zero exit code: exit status 3",
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": "3"}]},
        }


async def test_stdin_reaches_the_command_and_v5_can_close_it(lab):
    async with lab.agent() as agent:
        lab.make()
        await lab.running()
        client = Client()
        task, process = await execute(lab, agent, client, ["cat"], stdin=True)
        client.type(channels.STDIN, b"hello")
        await lab.settle()
        assert process.hear() == b"hello"
        client.type(channels.CLOSE, bytes([channels.STDIN]))
        await lab.settle()
        assert process.hear() == b""
        process.exit(0)
        await task
        assert client.status["status"] == "Success"


async def test_a_terminal_has_one_stream_and_a_size(lab):
    async with lab.agent() as agent:
        lab.make()
        await lab.running()
        client = Client()
        task, process = await execute(lab, agent, client, ["sh"], stdin=True, tty=True)
        assert process.program.tty
        assert process.program.env["TERM"] == "xterm"
        client.type(channels.RESIZE, b'{"Width":120,"Height":40}')
        client.type(channels.RESIZE, b"nonsense")
        await lab.settle()
        assert tuple(os.get_terminal_size(process._streams[0])) == (120, 40)
        process.say("$ ")
        await lab.settle()
        process.exit(0)
        await task
        assert client.got[channels.STDOUT] == b"$ "


async def test_a_client_that_goes_away_takes_its_command_along(lab):
    async with lab.agent() as agent:
        lab.make()
        await lab.running()
        client = Client()
        task, process = await execute(lab, agent, client, ["sleep", "1000"])
        client.frames.put_nowait(None)
        await task
        assert process.signals[0] == 1  # SIGHUP


async def test_the_built_in_program_can_be_executed_too(lab):
    async with lab.agent() as agent:
        lab.make()
        await lab.running()
        task, process = await execute(lab, agent, Client(), ["/agnhost", "connect", "x:1"])
        assert process.program.entry == "kubelab.engine.images.agnhost:main"
        process.exit(0)
        await task


async def test_a_missing_command_is_an_internal_error_that_names_it(lab):
    async with lab.agent() as agent:
        lab.make()
        await lab.running()
        lab.network.missing = {"nonsense"}
        client = Client()
        await agent.api.execute("default", "web", "web", ["nonsense"], Wanted(), client)
        assert client.status["reason"] == "InternalError"
        assert 'exec: "nonsense"' in client.status["message"]
        with pytest.raises(Refused, match="not found"):
            await agent.api.execute("default", "gone", "web", ["ls"], Wanted(), client)


async def test_attach_shows_what_comes_and_feeds_stdin(lab):
    async with lab.agent() as agent:
        lab.make(container={"stdin": True})
        process = await lab.running()
        client = Client()
        task = asyncio.create_task(agent.api.attach("default", "web", "web", Wanted(stdin=True), client))
        await lab.settle()
        process.say("hello\n")
        client.type(channels.STDIN, b"you")
        await lab.settle()
        assert client.got[channels.STDOUT] == b"hello\n"
        assert process.hear() == b"you"
        lab.api.delete_gracefully()
        await task


@pytest.mark.parametrize(("reads_first", "hears"), [(False, b"first\n> "), (True, b"> ")])
async def test_who_comes_late_hears_what_was_said_but_for_what_the_log_has_told(lab, reads_first, hears):
    async with lab.agent() as agent:
        lab.make(container={"stdin": True, "stdinOnce": True})
        process = await lab.running()
        process.say("first\n> ")
        await lab.settle()
        if reads_first:
            assert [each async for each in agent.api.logs("default", "web", "web", {})] == [b"first\n"]
        client = Client()
        task = asyncio.create_task(agent.api.attach("default", "web", "web", Wanted(stdin=True), client))
        await lab.settle()
        assert client.got[channels.STDOUT] == hears
        lab.api.delete_gracefully()
        await task


@pytest.mark.parametrize("once", [True, False])
async def test_the_containers_input_ends_with_its_only_client_and_outlives_others(lab, once):
    async with lab.agent() as agent:
        lab.make(container={"stdin": True, "stdinOnce": once})
        process = await lab.running()
        client = Client()
        task = asyncio.create_task(agent.api.attach("default", "web", "web", Wanted(stdin=True), client))
        await lab.settle()
        client.frames.put_nowait(None)
        await task
        os.set_blocking(process._streams[0], False)
        if once:
            assert process.hear() == b""
        else:
            with pytest.raises(BlockingIOError):
                process.hear()


async def test_a_port_is_forwarded_over_two_channels(lab):
    async with lab.agent() as agent:
        lab.make()
        await lab.running()
        lab.network.answers["127.0.0.1", 80] = b"HTTP/1.1 200 OK\r\n\r\n"
        client = Client()
        task = asyncio.create_task(agent.api.forward("default", "web", [80, 81], client))
        client.type(0, b"GET / HTTP/1.1\r\n\r\n")
        client.type(2, b"x")
        await lab.eventually(lambda: len(client.got.get(0, b"")) > 2 and len(client.got.get(3, b"")) > 2)
        assert client.got[0] == b"\x50\x00HTTP/1.1 200 OK\r\n\r\n"
        assert client.got[1] == b"\x50\x00"
        assert client.got[3].startswith(b"\x51\x00error forwarding port 81 to pod/uid-web: ")
        client.frames.put_nowait(None)
        await task
