"""Ports of 127.0.0.1 on the machine that lead to the ingress, as a browser's user has no other way to it.

A connection is carried on from the outside place to the address of the ingress controller's load balancer: the way that
any client outside the cluster takes. The ports are kept in the state directory, and are the same again if free.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence

from kubelab.engine.client import ApiError, Client
from kubelab.engine.client.resources import SERVICES
from kubelab.engine.network.contract import OUTSIDE, Network, NetworkLost
from kubelab.engine.state import StateDir
from kubelab.engine.tcp import Connections, join

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0

Address = Callable[[], Awaitable[str]]
"""The load balancer's address now; empty when there is none."""


class Doorway:
    """Listens from ``open`` to ``close``."""

    def __init__(
        self, state: StateDir, ports: Sequence[int], network: Callable[[], Network | None], address: Address
    ) -> None:
        self._state = state
        self._wanted = ports
        self._network = network
        self._address = address
        self._servers: list[asyncio.Server] = []
        self._connections = Connections()
        self.ports: Mapping[int, int] = {}
        """The ingress's port → the machine's."""

    async def open(self) -> None:
        """Take the ports that it had the last time, or others."""
        known = self._known()
        ports = {}
        for port in self._wanted:
            listener = _listener(known.get(port, 0))
            ports[port] = listener.getsockname()[1]
            self._servers.append(await asyncio.start_server(self._handler(port), sock=listener))
        self.ports = ports
        self._state.write(self._state.loopback, json.dumps(ports))

    async def close(self) -> None:
        """Hang up, and listen no more."""
        for server in self._servers:
            server.close()
        await self._connections.close()

    def _known(self) -> dict[int, int]:
        try:
            found = json.loads(self._state.loopback.read_text())
            return {int(port): int(local) for port, local in found.items() if 0 < int(local) < 1 << 16}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def _handler(self, port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._connections.add()
            try:
                await self._carry(port, reader, writer)
            except (OSError, NetworkLost, ApiError) as error:
                log.info("port %d of the ingress cannot be reached: %s", port, error)
            finally:
                writer.close()

        return serve

    async def _carry(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        network, address = self._network(), await self._address()
        if network is None or not address:
            raise ConnectionRefusedError("it has no address yet")
        connection = await network.connect(OUTSIDE, address, port, timeout_seconds=CONNECT_SECONDS)
        await join((reader, writer), await asyncio.open_connection(sock=connection))


async def service_address(client: Client, namespace: str, name: str) -> str:
    """The first address of a Service of type LoadBalancer; empty when it has none. Raises `ApiError`."""
    service = await client.get(SERVICES, name, namespace)
    given = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return next((str(each["ip"]) for each in given if each.get("ip")), "")


def _listener(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    listener.setblocking(False)
    return listener
