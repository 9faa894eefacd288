"""Networks of namespaces for the tests beside this file, on each tier that works where they run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from kubelab.engine import config
from kubelab.engine.network.contract import OUTSIDE, Finished, Network, Place, Process, Program, pod
from kubelab.engine.network.remote import AgentNetwork
from kubelab.engine.network.start import NoNetwork, start_network

PATH = "/usr/local/bin:/usr/bin:/bin"
WORKER = config.nodes()[1]


@pytest.fixture(params=["root", "user"])
async def network(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AgentNetwork]:
    """A network with three nodes and no pods."""
    try:
        started = await start_network(tmp_path, request.param)
    except NoNetwork as refused:
        pytest.skip(str(refused))
    try:
        for spec in config.nodes():
            await started.add_node(spec)
        yield started
    finally:
        await started.close()


def read_to_the_end(reader: int) -> str:
    """All that comes out of a pipe, which is closed after it."""
    with open(reader) as out:
        return out.read()


@dataclass
class Lab:
    """Short words for what the tests do to a network."""

    network: Network

    async def pod(self, uid: str, spec: config.NodeSpec = WORKER, last: int = 2) -> str:
        """Make a pod's network; its address."""
        ip = spec.pod_cidr.replace(".0/24", f".{last}")
        await self.network.add_pod(uid, spec.name, ip)
        return ip

    async def output(self, place: Place, program: Program, stdin: bytes = b"") -> tuple[int, str]:
        """Run a program to its end: its exit code and what it said."""
        source, feed = os.pipe()
        reader, writer = os.pipe()
        try:
            process = await self.network.start(place, program, stdin=source, stdout=writer, stderr=writer)
        finally:
            os.close(writer)
            os.close(source)
        os.write(feed, stdin)
        os.close(feed)
        said = await asyncio.to_thread(read_to_the_end, reader)
        return await process.wait(), said

    async def shell(self, uid: str, script: str, **more: object) -> str:
        """What a shell script in a pod says."""
        _, said = await self.output(pod(uid), Program(["sh", "-c", script], env={"PATH": PATH}, **more))
        return said

    async def sleeper(self, place: Place, **more: object) -> Process:
        """A program that stays."""
        program = Program(["sleep", "600"], env={"PATH": PATH}, **more)
        return await self.network.start(place, program, stdin=None, stdout=None, stderr=None)

    async def eventually(self, check: Callable[[], Awaitable[bool]], seconds: float = 5) -> None:
        """Return when ``check`` says yes; TimeoutError when it does not."""
        async with asyncio.timeout(seconds):
            while True:
                if await check():
                    return
                await asyncio.sleep(0.01)

    async def is_running(self, command: str) -> bool:
        """Whether a process with this command line runs anywhere in the network."""
        return (
            command
            in (await self.tool(OUTSIDE, ["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"])).stdout.decode()
        )

    async def tool(self, place: Place, argv: Sequence[str], stdin: str = "") -> Finished:
        """Run a tool that has to succeed."""
        finished = await self.network.run(place, argv, stdin=stdin.encode())
        assert finished.code == 0, finished.stderr.decode()
        return finished

    async def ask(self, source: Place, ip: str, port: int) -> str:
        """Connect, and return who answers: what the other side says before it closes."""
        with await self.network.connect(source, ip, port, timeout_seconds=5) as connection:
            return (await asyncio.get_running_loop().sock_recv(connection, 100)).decode()

    async def answer(self, place: Place, ip: str, port: int, name: str) -> asyncio.Task[None]:
        """Say ``name`` and the caller's address to whoever connects."""
        listener = await self.network.listen(place, ip, port)
        loop = asyncio.get_running_loop()

        async def serve() -> None:
            with listener:
                while True:
                    connection, peer = await loop.sock_accept(listener)
                    with connection:
                        await loop.sock_sendall(connection, f"{name} {peer[0]}".encode())

        return asyncio.create_task(serve())


@pytest.fixture
def lab(network: AgentNetwork) -> Lab:
    """The network, in short words."""
    return Lab(network)
