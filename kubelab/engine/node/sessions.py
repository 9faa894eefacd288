"""``kubectl exec``, ``attach`` and ``port-forward``: a client's channels joined to a process or to sockets."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from kubelab.engine.network.contract import Network, Place, Process, StartFailed
from kubelab.engine.node import channels, execution
from kubelab.engine.node.channels import Channels
from kubelab.engine.node.clock import cancel
from kubelab.engine.node.execution import Running
from kubelab.engine.node.log_file import LogFile
from kubelab.engine.node.pipes import Streams

MOST_WAITING = 64
"""Chunks of output that a client may lag behind before the program's pipes are left to fill up."""
CHUNK_BYTES = 32 * 1024


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


async def _feed(client: Channels, streams: Streams, wanted: Wanted) -> None:
    """The client's frames into the program; returns when the client has gone."""
    async for channel, data in client:
        if channel == channels.STDIN and wanted.stdin:
            await streams.write(data)
        elif channel == channels.RESIZE:
            try:
                streams.resize(*channels.size(data))
            except (ValueError, KeyError, TypeError):
                continue
        elif channel == channels.CLOSE and data[:1] == bytes([channels.STDIN]):
            await streams.end_input()


async def attach(streams: Streams, log: LogFile, wanted: Wanted, client: Channels) -> None:
    """Join the client to a running container's own streams, until either ends."""
    outlet = Outlet(client, wanted)
    untap = log.tap(outlet.take)
    sending = asyncio.ensure_future(outlet.run())
    reading = asyncio.ensure_future(_feed(client, streams, wanted))
    ending = asyncio.ensure_future(_closed(log))
    try:
        await asyncio.wait([reading, ending], return_when=asyncio.FIRST_COMPLETED)
        outlet.end()
        if ending.done():
            await sending
            await client.send(channels.ERROR, channels.exit_status(0))
    finally:
        untap()
        await cancel(reading, sending, ending)


async def _closed(log: LogFile) -> None:
    while not log.closed:
        await log.changed()


async def forward(network: Network, place: Place, ports: Sequence[int], client: Channels) -> None:
    """Forward each port: channel 2i carries its data, 2i+1 its errors; both begin with the port's number."""
    lanes = {2 * index: asyncio.Queue[bytes]() for index in range(len(ports))}
    for index, port in enumerate(ports):
        number = port.to_bytes(2, "little")
        await client.send(2 * index, number)
        await client.send(2 * index + 1, number)
    tasks = [
        asyncio.ensure_future(_lane(network, place, port, 2 * index, lanes[2 * index], client))
        for index, port in enumerate(ports)
    ]
    try:
        async for channel, data in client:
            if channel in lanes and data:
                lanes[channel].put_nowait(data)
    finally:
        await cancel(*tasks)


async def _lane(
    network: Network, place: Place, port: int, channel: int, data: asyncio.Queue[bytes], client: Channels
) -> None:
    begin = await data.get()  # no connection before the client has something to say, as kubelet
    try:
        connection = await network.connect(place, "127.0.0.1", port)
        reader, writer = await asyncio.open_connection(sock=connection)
    except OSError as error:
        message = f"error forwarding port {port} to pod: {error.strerror or error}"
        await client.send(channel + 1, message.encode())
        return
    writer.write(begin)
    writing = asyncio.ensure_future(_write(data, writer))
    try:
        while chunk := await reader.read(CHUNK_BYTES):
            await client.send(channel, chunk)
    except OSError as error:
        await client.send(channel + 1, f"error forwarding port {port} to pod: {error}".encode())
    finally:
        await cancel(writing)
        writer.close()


async def _write(data: asyncio.Queue[bytes], writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(await data.get())
        await writer.drain()
