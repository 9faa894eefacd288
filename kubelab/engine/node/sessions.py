"""``kubectl exec`` and ``attach``: a client's channels joined to a process."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from kubelab.engine.network.contract import Network, Process, StartFailed
from kubelab.engine.node import channels, execution
from kubelab.engine.node.channels import Channels
from kubelab.engine.node.clock import cancel
from kubelab.engine.node.execution import Running
from kubelab.engine.node.log_file import LogFile
from kubelab.engine.node.pipes import Streams

MOST_WAITING = 64
"""Chunks of output that a client may lag behind before the program's pipes are left to fill up."""


@dataclass(frozen=True)
class Wanted:
    """Which streams the client asked for."""

    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    tty: bool = False


class Outlet:
    """Output on its way to the client, in order; a slow client pauses the program's pipes."""

    def __init__(self, client: Channels, wanted: Wanted) -> None:
        self._client = client
        self._numbers = {
            **({"stdout": channels.STDOUT} if wanted.stdout else {}),
            **({"stderr": channels.STDERR} if wanted.stderr and not wanted.tty else {}),
        }
        self._waiting: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        self.streams: Streams | None = None

    def take(self, stream: str, data: bytes) -> None:
        """Output of the program."""
        number = self._numbers.get(stream)
        if number is None:
            return
        self._waiting.put_nowait((number, data))
        if self.streams is not None and self._waiting.qsize() > MOST_WAITING:
            self.streams.pause()

    def end(self) -> None:
        """Nothing more comes."""
        self._waiting.put_nowait(None)

    async def run(self) -> None:
        """Send until the end."""
        while (item := await self._waiting.get()) is not None:
            await self._client.send(*item)
            if self.streams is not None and self._waiting.empty():
                self.streams.resume()


async def execute(network: Network, running: Running, argv: Sequence[str], wanted: Wanted, client: Channels) -> None:
    """Run ``argv`` in the container for the client, to its end; the client's going away kills it."""
    outlet = Outlet(client, wanted)
    try:
        process, streams = await execution.start(
            network, running, argv, outlet.take, stdin=wanted.stdin, tty=wanted.tty
        )
    except StartFailed as error:
        message = f"error executing command in container: failed to exec in container: {error}"
        await client.send(channels.ERROR, channels.internal_error(message))
        return
    outlet.streams = streams
    sending = asyncio.ensure_future(outlet.run())
    ending = asyncio.ensure_future(process.wait())
    reading = asyncio.ensure_future(_feed(client, streams, wanted))
    try:
        await asyncio.wait([ending, reading], return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            await _hang_up(process, ending)
        await execution.drain(streams)
        outlet.end()
        await sending
        await client.send(channels.ERROR, channels.exit_status(ending.result()))
    finally:
        if not ending.done():
            await process.signal(signal.SIGKILL)
        await cancel(reading, sending, ending)
        streams.close()


async def _hang_up(process: Process, ending: asyncio.Future[int]) -> None:
    await process.signal(signal.SIGHUP)
    await asyncio.wait([ending], timeout=1)
    if not ending.done():
        await process.signal(signal.SIGKILL)
        await asyncio.wait([ending])


async def _feed(client: Channels, streams: Streams, wanted: Wanted, *, may_end: bool = True) -> None:
    """The client's frames into the program, its end of input only if it ``may_end``; returns when it has gone."""
    async for channel, data in client:
        if channel == channels.STDIN and wanted.stdin:
            await streams.write(data)
        elif channel == channels.RESIZE:
            try:
                streams.resize(*channels.size(data))
            except (ValueError, KeyError, TypeError):
                continue
        elif channel == channels.CLOSE and data[:1] == bytes([channels.STDIN]) and may_end:
            await streams.end_input()


async def attach(streams: Streams, log: LogFile, wanted: Wanted, client: Channels, *, once: bool) -> None:
    """Join the client to a running container's own streams, until either ends.

    ``once``: with this client's input the container's ends too (``stdinOnce``); else others may attach after it.
    """
    outlet = Outlet(client, wanted)
    untap = log.tap(outlet.take)
    sending = asyncio.ensure_future(outlet.run())
    reading = asyncio.ensure_future(_feed(client, streams, wanted, may_end=once))
    ending = asyncio.ensure_future(_closed(log))
    try:
        await asyncio.wait([reading, ending], return_when=asyncio.FIRST_COMPLETED)
        outlet.end()
        if once and wanted.stdin and not ending.done():
            await streams.end_input()
        if ending.done():
            await sending
            await client.send(channels.ERROR, channels.exit_status(0))
    finally:
        untap()
        await cancel(reading, sending, ending)


async def _closed(log: LogFile) -> None:
    while not log.closed:
        await log.changed()
