"""Requests in, answers out, over UDP and TCP."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Awaitable, Callable
from typing import cast

from kubelab.engine.dns import wire
from kubelab.engine.dns.plugins.base import Address, Failed, Query, Reply
from kubelab.engine.dns.plugins.prometheus import report
from kubelab.engine.metrics import Metrics

log = logging.getLogger(__name__)

IDLE_SECONDS = 10.0
"""How long a TCP connection may be silent."""

Ask = Callable[[int, Query], Awaitable[Reply]]
"""Port and question in, answer out. Raises `Failed`."""


class NameServer:
    """Answers requests by asking ``ask``, which changes when the Corefile does."""

    def __init__(self, ask: Ask, metrics: Metrics) -> None:
        self.ask = ask
        self._metrics = metrics

    async def respond(self, data: bytes, *, udp: bool, client: Address, port: int = 53) -> bytes | None:
        """The answer to a request in wire format; None for what has not even a request's header."""
        try:
            request, question = wire.parse(data)
        except wire.Malformed as error:
            log.debug("from %s: %s", client, error)
            return wire.malformed(data)
        query = Query(request, question, data, udp, client)
        rcode = wire.refusable(request)
        if rcode is None:
            message = await self._answer(query, port)
        else:
            report(self._metrics, {"server": f"dns://:{port}", "zone": "dropped", "view": ""}, query, rcode)
            message = wire.failure(request, rcode)
        return wire.to_send(request, message, udp=udp)

    async def _answer(self, query: Query, port: int) -> wire.Message:
        try:
            return (await self.ask(port, query)).message
        except Failed as failure:
            return wire.failure(query.request, failure.rcode)
        except Exception:
            log.exception("a question from %s was not answered: %s", query.client[0], query.question)
            self._metrics.add("coredns_panics_total")
            return wire.failure(query.request, "SERVFAIL")

    async def serve_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int = 53
    ) -> None:
        """One TCP connection: requests one after another, each with its length in front."""
        client = writer.get_extra_info("peername")[:2]
        try:
            while True:
                async with asyncio.timeout(IDLE_SECONDS):
                    (size,) = struct.unpack("!H", await reader.readexactly(2))
                    data = await reader.readexactly(size)
                response = await self.respond(data, udp=False, client=client, port=port)
                if response is None:
                    return
                writer.write(struct.pack("!H", len(response)) + response)
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


class Datagrams(asyncio.DatagramProtocol):
    """The UDP side of a name server."""

    def __init__(self, server: NameServer, port: int = 53) -> None:
        self._server = server
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        task = asyncio.get_running_loop().create_task(self._respond(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _respond(self, data: bytes, addr: Address) -> None:
        response = await self._server.respond(data, udp=True, client=addr[:2], port=self._port)
        if response is not None and self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(response, addr)
