"""`Network` as the engine uses it: every call is a request to the agent."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from kubelab.engine.config import NodeSpec
from kubelab.engine.network.agent.messages import Message
from kubelab.engine.network.channel import AgentChannel, gone
from kubelab.engine.network.contract import OUTSIDE, Finished, NetworkLost, Place, Program, StartFailed, Tier
from kubelab.engine.network.launch import Agent

_SECONDS_TO_CLOSE = 0.4
_TIMED_OUT = 124


class AgentProcess:
    """A program that the agent started."""

    def __init__(self, channel: AgentChannel, pid: int) -> None:
        self.id = pid
        self._channel = channel
        self._ended = asyncio.Event()
        self._code: int | None = None

    async def wait(self) -> int:
        """Its exit code. Raises `NetworkLost` when the agent died first."""
        await self._ended.wait()
        if self._code is None:
            raise gone()
        return self._code

    async def signal(self, number: int) -> None:
        """Send a signal; quiet when it has ended."""
        if not self._ended.is_set():
            await self._channel.ask("signal", _nothing, pid=self.id, signal=number, group=False)

    async def kill_group(self) -> None:
        """SIGKILL for it and what it started in its session."""
        if not self._ended.is_set():
            await self._channel.ask("signal", _nothing, pid=self.id, signal=signal.SIGKILL, group=True)

    def end(self, code: int | None) -> None:
        """It has ended; None: with the agent."""
        self._code = code
        self._ended.set()


class AgentNetwork:
    """A network whose places are kept by an agent. See `contract.Network`."""

    def __init__(self, agent: Agent, state: Path) -> None:
        """``state`` is the agent's directory, removed by `close`. Needs a running event loop."""
        self.tier: Tier = agent.tier
        self.notes = tuple(agent.notes)
        """What this machine does not allow and what that costs, one sentence each."""
        self._agent = agent
        self._state = state
        self._processes: dict[int, AgentProcess] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._channel = AgentChannel(agent.channel, self._event)
        self._watch = asyncio.create_task(self._when_lost(), name="network agent's end")
        self._closed = False

    async def add_node(self, spec: NodeSpec) -> None:
        """See `contract.Network`."""
        await self._channel.ask("add_node", _nothing, spec=asdict(spec))

    async def add_pod(self, uid: str, node: str, ip: str) -> None:
        """See `contract.Network`."""
        await self._channel.ask("add_pod", _nothing, uid=uid, node=node, ip=ip)

    async def remove_pod(self, uid: str) -> None:
        """See `contract.Network`. Returns when its processes are reaped."""
        await self._channel.ask("remove_pod", _nothing, uid=uid)

    async def start(
        self, place: Place, program: Program, *, stdin: int | None, stdout: int | None, stderr: int | None
    ) -> AgentProcess:
        """See `contract.Network`."""
        stdio = [stdin, stdout, stderr]
        return await self._channel.ask(
            "start",
            self._take_process,
            abandon=self._kill_abandoned,
            fds=[fd for fd in stdio if fd is not None],
            place=place,
            program=asdict(program),
            stdio=[fd is not None for fd in stdio],
        )

    async def run(
        self, place: Place, argv: Sequence[str], *, stdin: bytes = b"", timeout_seconds: float = 30
    ) -> Finished:
        """See `contract.Network`."""
        files = [_anonymous_file(stdin), _anonymous_file(), _anonymous_file()]
        try:
            try:
                code = await self._run(place, argv, files, timeout_seconds)
            except StartFailed as failure:
                return Finished(failure.code, b"", f"{failure}\n".encode())
            return Finished(code, _content(files[1]), _content(files[2]))
        finally:
            for file in files:
                os.close(file)

    async def _run(self, place: Place, argv: Sequence[str], files: list[int], timeout_seconds: float) -> int:
        def accept(result: Message, fds: list[int]) -> AgentProcess | int:
            return result["code"] if "code" in result else self._take_process(result, fds)

        def abandon(result: AgentProcess | int) -> None:
            if isinstance(result, AgentProcess):
                self._kill_abandoned(result)

        started = await self._channel.ask("run", accept, abandon=abandon, fds=files, place=place, argv=list(argv))
        if isinstance(started, int):
            return started
        try:
            async with asyncio.timeout(timeout_seconds):
                return await started.wait()
        except TimeoutError:
            await started.kill_group()
            await started.wait()
            return _TIMED_OUT
        except asyncio.CancelledError:
            self._kill_abandoned(started)
            raise

    async def listen(self, place: Place, ip: str, port: int, *, udp: bool = False) -> socket.socket:
        """See `contract.Network`. Raises OSError."""
        made, _ = await self._channel.ask(
            "listen", _take_socket, abandon=_close_socket, place=place, ip=ip, port=port, udp=udp
        )
        return made

    async def connect(self, place: Place, ip: str, port: int, *, timeout_seconds: float = 5) -> socket.socket:
        """See `contract.Network`. TimeoutError (an OSError) after ``timeout_seconds``."""
        made, address = await self._channel.ask(
            "dial", _take_socket, abandon=_close_socket, place=place, ip=ip, port=port
        )
        try:
            async with asyncio.timeout(timeout_seconds):
                await asyncio.get_running_loop().sock_connect(made, address)
        except TimeoutError as error:
            made.close()
            raise TimeoutError(errno.ETIMEDOUT, f"no answer from {ip}:{port} in {timeout_seconds} s") from error
        except BaseException:
            made.close()
            raise
        return made

    async def balance(self, addresses: Mapping[str, Sequence[str]]) -> None:
        """See `contract.Network`. Raises OSError when the rules are refused that carry it out."""
        wanted = {ip: list(nodes) for ip, nodes in addresses.items()}
        rules = await self._channel.ask("balance", lambda result, _: str(result["rules"]), addresses=wanted)
        if rules:
            done = await self.run(OUTSIDE, ["iptables-restore", "-w", "5"], stdin=rules.encode())
            if done.code != 0:
                raise OSError(done.stderr.decode(errors="replace").strip() or f"iptables-restore: code {done.code}")

    async def lost(self) -> None:
        """See `contract.Network`. Returns after `close` too."""
        await self._channel.lost()

    async def close(self) -> None:
        """See `contract.Network`. Twice is once."""
        if self._closed:
            return
        self._closed = True
        self._channel.close()
        await asyncio.to_thread(self._agent.end, _SECONDS_TO_CLOSE)
        await self._watch
        await asyncio.to_thread(shutil.rmtree, self._state, ignore_errors=True)

    async def _when_lost(self) -> None:
        await self._channel.lost()
        for process in self._processes.values():
            process.end(None)
        self._processes.clear()
        await asyncio.to_thread(self._agent.process.wait)

    def _event(self, message: Message) -> None:
        if message["event"] == "exit":
            self._processes.pop(message["pid"]).end(message["code"])

    def _take_process(self, result: Message, fds: list[int]) -> AgentProcess:
        process = AgentProcess(self._channel, result["pid"])
        self._processes[process.id] = process
        return process

    def _kill_abandoned(self, process: AgentProcess) -> None:
        """Its starter was cancelled: nobody else knows that it runs."""

        async def kill() -> None:
            with suppress(NetworkLost):  # then it has ended anyway
                await process.kill_group()

        task = asyncio.create_task(kill())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _nothing(result: Message, fds: list[int]) -> None:
    return None


def _take_socket(result: Message, fds: list[int]) -> tuple[socket.socket, tuple[str, int]]:
    made = socket.socket(fileno=fds[0])
    made.setblocking(False)
    ip, port = result["address"]
    return made, (ip, port)


def _close_socket(taken: tuple[socket.socket, tuple[str, int]]) -> None:
    taken[0].close()


def _anonymous_file(content: bytes = b"") -> int:
    file = os.memfd_create("run")
    with open(file, "wb", closefd=False) as writer:
        writer.write(content)
    os.lseek(file, 0, os.SEEK_SET)
    return file


def _content(file: int) -> bytes:
    return os.pread(file, os.fstat(file).st_size, 0)
