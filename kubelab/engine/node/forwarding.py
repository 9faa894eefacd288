"""``kubectl port-forward``: a client's streams joined to sockets in a pod, in both ways that clients speak.

- SPDY (kubectl, kube-apiserver): for every connection two streams, ``error`` and ``data``, told apart by headers.
- channels of a WebSocket (the Python client): two channels a port, and one connection for each port.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress

from kubelab.engine.network.contract import Network, Place
from kubelab.engine.node.channels import Channels
from kubelab.engine.node.clock import cancel
from kubelab.engine.node.spdy import Connection, Stream

SPDY_PROTOCOL = "portforward.k8s.io"
CHUNK_BYTES = 32 * 1024
PAIR_SECONDS = 30
"""How long one stream of a pair may wait for the other, as in kubelet."""

Send = Callable[[bytes], Awaitable[None]]


class PodPorts:
    """The pod whose ports are asked for."""

    def __init__(self, network: Network, place: Place) -> None:
        self._network = network
        self._place = place

    async def carry(self, port: int, incoming: AsyncIterable[bytes], send: Send) -> str:
        """Connect to the port, carry bytes both ways until the pod ends; answers what went wrong, if anything did."""
        try:
            connection = await self._network.connect(self._place, "127.0.0.1", port)
            reader, writer = await asyncio.open_connection(sock=connection)
        except OSError as error:
            why = os.strerror(error.errno).lower() if error.errno else str(error)
            where = f"failed to connect to localhost:{port} inside namespace"
            return f"error forwarding port {port} to {self._place}: {where}: dial tcp4 127.0.0.1:{port}: connect: {why}"
        writing = asyncio.ensure_future(_write(incoming, writer))
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                await send(chunk)
        except OSError as error:
            return f"error forwarding port {port} to {self._place}: {error}"
        finally:
            await cancel(writing)
            writer.close()
        return ""


async def _write(incoming: AsyncIterable[bytes], writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):  # the pod does not listen any more; the reading side ends
        async for data in incoming:
            writer.write(data)
            await writer.drain()
        if isinstance(incoming, Stream) and incoming.was_reset:
            writer.close()
        else:
            writer.write_eof()


# Over SPDY


async def forward_streams(pod: PodPorts, connection: Connection) -> None:
    """Serve every pair of streams that the client opens, until it goes."""
    halves: dict[str, Stream] = {}
    serving: set[asyncio.Task[None]] = set()
    try:
        while (stream := await connection.accept()) is not None:
            request = stream.headers.get("requestid") or str(stream.number - stream.number % 4)
            if stream.headers.get("streamtype") not in ("error", "data"):
                await stream.reset()
            elif (other := halves.pop(request, None)) is None:
                halves[request] = stream
                asyncio.get_running_loop().call_later(PAIR_SECONDS, halves.pop, request, None)
            else:
                data, error = (stream, other) if stream.headers["streamtype"] == "data" else (other, stream)
                task = asyncio.create_task(_serve(pod, data, error))
                serving.add(task)
                task.add_done_callback(serving.discard)
    finally:
        await cancel(*serving)


async def _serve(pod: PodPorts, data: Stream, error: Stream) -> None:
    with suppress(ConnectionError):  # the client has gone: there is nobody to tell
        await _carry(pod, data, error)
    data.ignore()
    error.ignore()


async def _carry(pod: PodPorts, data: Stream, error: Stream) -> None:
    port = data.headers.get("port", "")
    failure = f"the port {port!r} is not a number from 1 to 65535"
    if port.isdigit() and 0 < int(port) < 65536:
        failure = await pod.carry(int(port), data, data.send)
    if failure:
        await error.send(failure.encode())
    await data.end()
    await error.end()


# Over the channels of a WebSocket


async def forward_channels(pod: PodPorts, ports: Sequence[int], client: Channels) -> None:
    """Forward each port: channel 2i carries its data, 2i+1 its errors; both begin with the port's number."""
    lanes = {2 * index: asyncio.Queue[bytes]() for index in range(len(ports))}
    for index, port in enumerate(ports):
        number = port.to_bytes(2, "little")
        await client.send(2 * index, number)
        await client.send(2 * index + 1, number)
    tasks = [
        asyncio.ensure_future(_lane(pod, port, 2 * index, lanes[2 * index], client)) for index, port in enumerate(ports)
    ]
    try:
        async for channel, data in client:
            if channel in lanes and data:
                lanes[channel].put_nowait(data)
    finally:
        await cancel(*tasks)


async def _lane(pod: PodPorts, port: int, channel: int, data: asyncio.Queue[bytes], client: Channels) -> None:
    begin = await data.get()  # no connection before the client has something to say, as kubelet

    async def incoming() -> AsyncIterator[bytes]:
        yield begin
        while True:
            yield await data.get()

    async def send(chunk: bytes) -> None:
        await client.send(channel, chunk)

    if failure := await pod.carry(port, incoming(), send):
        await client.send(channel + 1, failure.encode())
