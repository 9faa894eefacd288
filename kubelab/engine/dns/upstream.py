"""Asking the machine's own name servers about what is not the cluster's."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
import struct
from collections.abc import Iterable, Sequence

from kubelab.engine.config import DNS_SERVICE_IP

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 2.0
REST_SECONDS = 5.0
"""How long a name server that did not answer is left alone before it is probed again."""

_ANY_QUESTION = bytes.fromhex("000001000001000000000000") + bytes.fromhex("0000020001")
"""Who serves the root? Anything that answers will do."""


def name_servers(resolv_conf: str, *, own: Iterable[str] = ()) -> list[str]:
    """The ``nameserver`` lines, without those that would lead back here: loopback, ourselves, the cluster's DNS."""
    here = {DNS_SERVICE_IP, *own}
    found = []
    for line in resolv_conf.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            try:
                ip = ipaddress.ip_address(words[1])
            except ValueError:
                continue
            if not ip.is_loopback and not ip.is_unspecified and str(ip) not in here:
                found.append(str(ip))
    return found


class NoAnswer(Exception):
    """No name server of the machine answered in time."""


class Upstream:
    """The machine's name servers, asked in their order.

    One that does not answer is not asked again until a probe in the background got an answer: where there is no way out
    of the cluster, a name of the outside fails at once instead of after a time-out each.
    """

    def __init__(
        self, servers: Sequence[str], *, port: int = 53, timeout: float = TIMEOUT_SECONDS, rest: float = REST_SECONDS
    ) -> None:
        self.servers = list(servers)
        self._port = port
        self._timeout = timeout
        self._rest = rest
        self._silent: dict[str, float] = {}
        """Servers that did not answer, and when that was last seen (loop time)."""
        self._probes: dict[str, asyncio.Task[None]] = {}

    def probe(self) -> None:
        """Find out in the background which servers answer."""
        for server in self.servers:
            self._start_probe(server)

    def close(self) -> None:
        """End the probes."""
        for task in self._probes.values():
            task.cancel()

    async def ask(self, request: bytes, *, udp: bool) -> bytes:
        """Pass a request on and return the answer with the request's id. Raises `NoAnswer`."""
        for server in self.servers:
            if server in self._probes and server not in self._silent:
                await asyncio.wait((self._probes[server],))
            if (seen := self._silent.get(server)) is None:
                answer = await self._ask_one(server, request, udp=udp)
                if answer is not None:
                    return answer
            elif asyncio.get_running_loop().time() - seen >= self._rest:
                self._start_probe(server)
        raise NoAnswer("no name server outside the cluster answers")

    def _start_probe(self, server: str) -> None:
        if server not in self._probes:
            self._probes[server] = asyncio.create_task(self._probe(server))

    async def _probe(self, server: str) -> None:
        try:
            if await self._ask_one(server, _ANY_QUESTION, udp=True) is not None:
                self._silent.pop(server, None)
        finally:
            del self._probes[server]

    async def _ask_one(self, server: str, request: bytes, *, udp: bool) -> bytes | None:
        try:
            async with asyncio.timeout(self._timeout):
                return await (self._by_udp if udp else self._by_tcp)(server, request)
        except (OSError, asyncio.IncompleteReadError) as error:
            log.debug("name server %s: %s", server, error or "no answer in time")
            self._silent[server] = asyncio.get_running_loop().time()
            return None

    async def _by_udp(self, server: str, request: bytes) -> bytes:
        number = random.getrandbits(16)
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Waiting(number, answered), remote_addr=(server, self._port)
        )
        try:
            transport.sendto(struct.pack("!H", number) + request[2:])
            return request[:2] + (await answered)[2:]
        finally:
            transport.close()

    async def _by_tcp(self, server: str, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(server, self._port)
        try:
            writer.write(struct.pack("!H", len(request)) + request)
            (size,) = struct.unpack("!H", await reader.readexactly(2))
            return await reader.readexactly(size)
        finally:
            writer.close()


class _Waiting(asyncio.DatagramProtocol):
    """Waits for the answer with one id."""

    def __init__(self, number: int, answered: asyncio.Future[bytes]) -> None:
        self._number = number
        self._answered = answered

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) >= 12 and data[:2] == struct.pack("!H", self._number) and not self._answered.done():
            self._answered.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answered.done():
            self._answered.set_exception(exc)
