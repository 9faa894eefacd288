"""Asking other name servers about what is not the cluster's."""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import logging
import random
import struct
import time
from collections.abc import Iterable, Sequence

from dnslib import RCODE

from kubelab.engine.config import DNS_SERVICE_IP
from kubelab.engine.metrics import Metrics

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
    """No other name server answered in time. The text says what became of the last one that was asked."""


POLICIES = ("random", "round_robin", "sequential")
"""In which order servers are asked."""


class Upstream:
    """Other name servers: ``10.0.0.1``, or ``10.0.0.1#5353`` with a port of its own.

    One that does not answer is not asked again until a probe in the background got an answer: where there is no way out
    of the cluster, a name of the outside fails at once instead of after a time-out each.
    """

    def __init__(
        self,
        servers: Sequence[str],
        *,
        port: int = 53,
        timeout: float = TIMEOUT_SECONDS,
        rest: float = REST_SECONDS,
        policy: str = "sequential",
        metrics: Metrics | None = None,
    ) -> None:
        self.servers = list(servers)
        self._port = port
        self._policy = policy
        self._metrics = metrics or Metrics()
        self._turn = itertools.count()
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
        reason = "no name server outside the cluster answers"
        for server in self._in_order():
            if (seen := self._silent.get(server)) is None:
                try:
                    return await self._timed(server, request, udp=udp)
                except NoAnswer as error:
                    reason = str(error)
            elif asyncio.get_running_loop().time() - seen >= self._rest:
                self._start_probe(server)
        raise NoAnswer(reason)

    def _in_order(self) -> list[str]:
        if self._policy == "sequential" or len(self.servers) < 2:
            return self.servers
        if self._policy == "random":
            return random.sample(self.servers, len(self.servers))
        first = next(self._turn) % len(self.servers)
        return self.servers[first:] + self.servers[:first]

    async def _timed(self, server: str, request: bytes, *, udp: bool) -> bytes:
        """One server's answer, counted."""
        started, labels = time.perf_counter(), {"proxy_name": "forward", "to": "{}:{}".format(*self._place(server))}
        protocol = "udp" if udp else "tcp"
        self._metrics.add("coredns_proxy_conn_cache_misses_total", proto=protocol, **labels)
        answer = await self._ask_one(server, request, udp=udp)
        took = time.perf_counter() - started
        rcode = str(RCODE.forward.get(answer[3] & 0x0F, answer[3] & 0x0F))
        self._metrics.observe("coredns_proxy_request_duration_seconds", took, rcode=rcode, **labels)
        return answer

    def _place(self, server: str) -> tuple[str, int]:
        host, _, port = server.partition("#")
        return host, int(port or self._port)

    def _start_probe(self, server: str) -> None:
        if server not in self._probes:
            self._probes[server] = asyncio.create_task(self._probe(server))

    async def _probe(self, server: str) -> None:
        try:
            await self._ask_one(server, _ANY_QUESTION, udp=True)
            self._silent.pop(server, None)
        except NoAnswer as error:
            log.debug("%s", error)
            to = "{}:{}".format(*self._place(server))
            self._metrics.add("coredns_proxy_healthcheck_failures_total", proxy_name="forward", to=to)
        finally:
            del self._probes[server]

    async def _ask_one(self, server: str, request: bytes, *, udp: bool) -> bytes:
        """Raises `NoAnswer`."""
        try:
            async with asyncio.timeout(self._timeout):
                return await (self._by_udp if udp else self._by_tcp)(server, request)
        except (OSError, asyncio.IncompleteReadError) as error:
            self._silent[server] = asyncio.get_running_loop().time()
            timed_out = isinstance(error, TimeoutError)
            place = "{}:{}".format(*self._place(server))
            reason = "i/o timeout" if timed_out else getattr(error, "strerror", None) or "the connection was closed"
            raise NoAnswer(f"read {'udp' if udp else 'tcp'} {place}: {reason.lower()}") from None

    async def _by_udp(self, server: str, request: bytes) -> bytes:
        number = random.getrandbits(16)
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Waiting(number, answered), remote_addr=self._place(server)
        )
        try:
            transport.sendto(struct.pack("!H", number) + request[2:])
            answer = await answered
            return request[:2] + answer[2:]
        finally:
            transport.close()

    async def _by_tcp(self, server: str, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self._place(server))
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
