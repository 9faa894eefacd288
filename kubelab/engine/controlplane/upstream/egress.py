"""kube-apiserver's way into the cluster's network: an HTTP CONNECT proxy on a Unix socket.

kube-apiserver is a process of the machine; nodes, pods and Services are in network namespaces that it has no route to.
Its egress selection (KEP-1281) gives such a proxy everything that it opens towards the cluster: logs and exec,
webhooks, ``kubectl proxy`` to a Service. Node agents listen on the machine's localhost, and are reached there.
https://kubernetes.io/docs/tasks/extend-kubernetes/setup-konnectivity/
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
from contextlib import suppress
from pathlib import Path

from kubelab.engine.controlplane.contract import Dial
from kubelab.engine.network.contract import NetworkLost
from kubelab.engine.tcp import Connections, Streams, join

log = logging.getLogger(__name__)

REQUEST_SECONDS = 10.0


class Egress:
    """Serves from ``open`` to ``close``."""

    def __init__(self, path: Path, dial: Dial) -> None:
        self._path = path
        self._dial = dial
        self._server: asyncio.Server | None = None
        self._connections = Connections()

    async def open(self) -> None:
        """Listen, for the cluster's owner only. Raises OSError."""
        with suppress(FileNotFoundError):
            self._path.unlink()
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, self._path)
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Listen no more, and hang up."""
        if self._server is not None:
            self._server.close()
        await self._connections.close()
        with suppress(FileNotFoundError):
            self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add()
        try:
            there = await self._connect(reader, writer)
            if there is not None:
                await join((reader, writer), there)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.debug("kube-apiserver hung up: %s", error)
        finally:
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Streams | None:
        async with asyncio.timeout(REQUEST_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
        target = parse(head)
        if target is None:
            await _refuse(writer, "400 Bad Request", "only CONNECT HOST:PORT is served here")
            return None
        host, port = target
        try:
            there = await self._reach(host, port)
        except (OSError, NetworkLost) as error:
            await _refuse(writer, "502 Bad Gateway", f"{host}:{port}: {str(error) or type(error).__name__}")
            return None
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        return there

    async def _reach(self, host: str, port: int) -> Streams:
        if is_this_machine(host):
            return await asyncio.open_connection("127.0.0.1", port)
        if not _is_address(host):
            raise ConnectionRefusedError("the cluster's network is reached by address only")
        return await asyncio.open_connection(sock=await self._dial(host, port))


def parse(head: bytes) -> tuple[str, int] | None:
    """Host and port of ``CONNECT host:port HTTP/1.1``; None for anything else."""
    words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    if len(words) != 3 or words[0] != "CONNECT":
        return None
    host, _, port = words[1].rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 1 << 16:
        return None
    return host.strip("[]"), int(port)


def is_this_machine(host: str) -> bool:
    """Whether a node agent says so of itself."""
    return ipaddress.ip_address(host).is_loopback if _is_address(host) else host == "localhost"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _refuse(writer: asyncio.StreamWriter, status: str, why: str) -> None:
    body = f"{why}\n".encode()
    writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
