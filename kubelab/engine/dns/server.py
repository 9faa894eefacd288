"""Requests in, answers out: over UDP and TCP, the cluster's own names and those of others."""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections.abc import Callable
from typing import cast

from kubelab.engine.dns import wire
from kubelab.engine.dns.answers import answer
from kubelab.engine.dns.records import Question
from kubelab.engine.dns.snapshot import Snapshot
from kubelab.engine.dns.tally import Tally
from kubelab.engine.dns.upstream import NoAnswer, Upstream

log = logging.getLogger(__name__)

IDLE_SECONDS = 10.0
"""How long a TCP connection may be silent."""

Address = tuple[str, int]


class NameServer:
    """Answers requests. ``snapshot`` gives what is known now, None while the first lists are being read."""

    def __init__(
        self, snapshot: Callable[[], Snapshot | None], upstream: Upstream, tally: Tally, *, log_queries: bool = False
    ) -> None:
        self._snapshot = snapshot
        self._upstream = upstream
        self.tally = tally
        self._log_queries = log_queries

    async def respond(self, data: bytes, *, udp: bool, client: Address) -> bytes | None:
        """The answer to a request in wire format; None for what has not even a request's header."""
        started = time.perf_counter()
        try:
            request, question = wire.parse(data)
        except wire.Malformed as error:
            log.debug("from %s: %s", client, error)
            return wire.malformed(data)
        protocol = "udp" if udp else "tcp"
        self.tally.request(protocol, question.type)
        rcode = wire.refusable(request)
        response = wire.failure(request, rcode) if rcode else await self._answer(request, question, data, udp)
        self.tally.response(protocol, wire.rcode_of(response), time.perf_counter() - started)
        if self._log_queries:
            took = time.perf_counter() - started
            _log_query(client, question, protocol, len(data), wire.rcode_of(response), len(response), took)
        return response

    async def _answer(self, request: wire.DNSRecord, question: Question, data: bytes, udp: bool) -> bytes:
        snapshot = self._snapshot()
        if snapshot is None:
            return wire.failure(request, "SERVFAIL")
        found = answer(question, snapshot)
        if found is None and not self._upstream.servers:
            return wire.failure(request, "REFUSED")
        try:
            if found is None:
                return await self._upstream.ask(data, udp=udp)
            if not found.chase or not self._upstream.servers:
                return wire.reply(request, found, udp=udp)
            other = await self._upstream.ask(wire.request_for(found.chase, question.type), udp=udp)
            return wire.appended(request, found, other, udp=udp)
        except NoAnswer:
            return wire.failure(request, "SERVFAIL") if found is None else wire.reply(request, found, udp=udp)

    async def serve_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One TCP connection: requests one after another, each with its length in front."""
        client = writer.get_extra_info("peername")[:2]
        try:
            while True:
                async with asyncio.timeout(IDLE_SECONDS):
                    (size,) = struct.unpack("!H", await reader.readexactly(2))
                    data = await reader.readexactly(size)
                response = await self.respond(data, udp=False, client=client)
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

    def __init__(self, server: NameServer) -> None:
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        task = asyncio.get_running_loop().create_task(self._respond(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _respond(self, data: bytes, addr: Address) -> None:
        try:
            response = await self._server.respond(data, udp=True, client=addr[:2])
        except Exception:
            log.exception("a request from %s was not answered", addr)
            return
        if response is not None and self._transport is not None:
            self._transport.sendto(response, addr)


def _log_query(
    client: Address, question: Question, protocol: str, size: int, rcode: str, response_size: int, took: float
) -> None:
    """In the order of CoreDNS' log plugin."""
    log.info(
        '%s:%d - "%s IN %s. %s %d" %s %d %.6fs',
        client[0], client[1], question.type, question.name, protocol, size, rcode, response_size, took,
    )  # fmt: skip
