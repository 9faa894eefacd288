"""A listener, of the machine or of a node, whose connections go on to kube-apiserver: TLS passes through."""

from __future__ import annotations

import asyncio
import logging
import socket
import time

from kubelab.engine.tcp import Connections, join

log = logging.getLogger(__name__)


class Relay:
    """Serves from `open` to `close`. While kube-apiserver does not answer, who comes is hung up on."""

    def __init__(self, address: str, port: int) -> None:
        self._target = (address, port)
        self._server: asyncio.Server | None = None
        self._connections = Connections()
        self.last_request = time.monotonic()
        """When somebody last came, or sent something (`time.monotonic`)."""

    @classmethod
    async def open(cls, listener: socket.socket, address: str, port: int) -> Relay:
        """Serve on a bound socket what listens at an address and port."""
        relay = cls(address, port)
        listener.setblocking(False)
        relay._server = await asyncio.start_server(relay._serve, sock=listener)
        return relay

    async def close(self) -> None:
        """Listen no more, and hang up."""
        if self._server is not None:
            self._server.close()
        await self._connections.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add()
        self.last_request = time.monotonic()
        try:
            there = await asyncio.open_connection(*self._target)
            await join((reader, writer), there)
        except OSError as error:
            log.debug("kube-apiserver cannot be reached: %s", error)
        finally:
            self.last_request = time.monotonic()
            writer.close()
