"""Connections to where a proxied request goes on: into the cluster's network, or to a node agent on this machine."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from kubelab.engine.apiserver.proxying.locations import Location
from kubelab.engine.apiserver.settings import Dial, dial_directly

HANDSHAKE_SECONDS = 10.0
"""For TLS, as upstream."""


class Ways:
    """How every location is reached."""

    def __init__(self, dial: Dial, kubelet_tls: ssl.SSLContext | None) -> None:
        self._dial = dial
        self._kubelet_tls = kubelet_tls
        self._unchecked = ssl.create_default_context()
        self._unchecked.check_hostname = False
        self._unchecked.verify_mode = ssl.CERT_NONE

    async def open(self, to: Location) -> socket.socket:
        """Connected, and not blocking. Raises OSError."""
        return await (dial_directly if to.kubelet else self._dial)(to.host, to.port)

    def tls(self, to: Location) -> dict[str, Any]:
        """asyncio's arguments for TLS. Nobody checks what a pod shows: it may be signed by anybody (so upstream)."""
        if to.scheme != "https":
            return {}
        context, name = (self._kubelet_tls, to.host) if to.kubelet and self._kubelet_tls else (self._unchecked, "")
        return {"ssl": context, "server_hostname": name, "ssl_handshake_timeout": HANDSHAKE_SECONDS}


class OneConnection(aiohttp.BaseConnector):
    """An aiohttp session's connection to one location."""

    def __init__(self, ways: Ways, to: Location) -> None:
        super().__init__()
        self._ways = ways
        self._to = to

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: object, timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        sock = await self._ways.open(self._to)
        _, protocol = await self._loop.create_connection(self._factory, sock=sock, **self._ways.tls(self._to))
        return protocol


async def open_streams(ways: Ways, to: Location, *, limit: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The same as bytes; ``limit`` is the longest head. Raises OSError."""
    return await asyncio.open_connection(sock=await ways.open(to), limit=limit, **ways.tls(to))


def why(to: Location, error: Exception) -> str:
    """What went wrong, in the words of Go's net/http, which end up in upstream's messages."""
    if isinstance(error, aiohttp.ClientOSError) and isinstance(error.__cause__, OSError):
        error = error.__cause__
    if isinstance(error, ssl.SSLError):
        if error.reason == "WRONG_VERSION_NUMBER":
            return "http: server gave HTTP response to HTTPS client"
        return f"tls: {(error.reason or str(error)).replace('_', ' ').lower()}"
    if isinstance(error, ConnectionAbortedError):
        return "net/http: TLS handshake timeout"
    if isinstance(error, TimeoutError):
        return f"dial tcp {to.authority}: i/o timeout"
    if isinstance(error, aiohttp.ServerDisconnectedError | EOFError):
        return "EOF"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return f"read tcp {to.authority}: read: connection reset by peer"
    if isinstance(error, OSError) and error.errno:
        return f"dial tcp {to.authority}: connect: {os.strerror(error.errno).lower()}"
    if isinstance(error, aiohttp.ClientResponseError | ValueError):
        return "net/http: HTTP/1.x transport connection broken: malformed HTTP response"
    return str(error) or type(error).__name__
