"""The sockets of a name server: those that stay in use stay open when the Corefile changes."""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import Iterable

from kubelab.engine.dns.corefile import CorefileError
from kubelab.engine.dns.plugins.base import Endpoint, Pages
from kubelab.engine.dns.server import Datagrams, NameServer
from kubelab.engine.plain_http import Answer, serve


class Listeners:
    """Ports for questions, and addresses for pages."""

    def __init__(self, server: NameServer) -> None:
        self._server = server
        self._pages: Pages = {}
        self._dns: dict[int, tuple[asyncio.DatagramTransport, asyncio.Server]] = {}
        self._http: dict[Endpoint, asyncio.Server] = {}

    async def open(self, ports: Iterable[int], pages: Pages) -> None:
        """Open what is not open yet. Raises `CorefileError` for a socket that cannot be had."""
        for port in ports:
            if port not in self._dns:
                self._dns[port] = await self._listen(port)
        for endpoint in {endpoint for endpoint, _ in pages}:
            if endpoint not in self._http:
                self._http[endpoint] = await self._serve(endpoint)

    def keep(self, ports: Iterable[int], pages: Pages) -> None:
        """Show these pages and close what is no longer needed."""
        self._pages = pages
        for port in set(self._dns) - set(ports):
            transport, streams = self._dns.pop(port)
            transport.close()
            streams.close()
        for endpoint in set(self._http) - {endpoint for endpoint, _ in pages}:
            self._http.pop(endpoint).close()

    async def _listen(self, port: int) -> tuple[asyncio.DatagramTransport, asyncio.Server]:
        loop = asyncio.get_running_loop()
        try:
            streams = await asyncio.start_server(
                functools.partial(self._server.serve_connection, port=port), "0.0.0.0", port
            )
        except OSError as error:
            raise _refused("tcp", f":{port}", error) from None
        try:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: Datagrams(self._server, port), local_addr=("0.0.0.0", port)
            )
        except OSError as error:
            streams.close()
            raise _refused("udp", f":{port}", error) from None
        return transport, streams

    async def _serve(self, endpoint: Endpoint) -> asyncio.Server:
        try:
            sock = socket.create_server(endpoint)
        except OSError as error:
            raise _refused("tcp", f"{endpoint.host}:{endpoint.port}", error) from None
        sock.setblocking(False)

        def page(path: str) -> Answer | None:
            found = self._pages.get((endpoint, path))
            return found() if found else None

        return await serve(sock, page)


def _refused(protocol: str, place: str, error: OSError) -> CorefileError:
    return CorefileError(f"listen {protocol} {place}: bind: {(error.strerror or str(error)).lower()}")
