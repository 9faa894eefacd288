"""HTTPS: sockets to requests, answers to bytes on the wire."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from kubelab.engine.apiserver.access.impersonation import PREFIX, SEPARATOR
from kubelab.engine.apiserver.auth import CERTIFICATE_HEADER, IN_PROCESS_HEADER, certificate_header
from kubelab.engine.apiserver.content import LARGEST_BODY
from kubelab.engine.apiserver.proxying.headers import TOKEN_PROTOCOL
from kubelab.engine.apiserver.routing import PROXY
from kubelab.engine.apiserver.status import StatusError, too_large
from kubelab.engine.client.transport import ApiRequest, ApiResponse

if TYPE_CHECKING:
    from kubelab.engine.apiserver.server import ApiServer

KEEPALIVE_SECONDS = 75.0
LONGEST_LINE = 64 * 1024
"""Bytes of a request's first line or of one header: selectors can be long."""
_HEADERS = {"cache-control": "no-cache, private"}
SHUTDOWN_SECONDS = 0.1
"""For answers under way; connections that wait for a next request, and watches, take as long too."""
HANG_UP_SECONDS = 1.0


_log = logging.getLogger(__name__)
_log.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))
"""Without what clients send that is no HTTP: they get a 400, and nothing is wrong here."""


class Serving:
    """A server on its sockets, until `close`."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._web = web.Server(
            self._handle,
            keepalive_timeout=KEEPALIVE_SECONDS,
            access_log=None,
            logger=_log,
            handler_cancellation=True,
            auto_decompress=False,  # as upstream: no compressed body is read, and so none that is a bomb
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
        )
        self._listening: list[asyncio.Server] = []
        self.last_request = time.monotonic()
        """When somebody last asked for something over these sockets (`time.monotonic`)."""

    @classmethod
    async def start(cls, server: ApiServer, sockets: Sequence[socket.socket], tls: ssl.SSLContext | None) -> Serving:
        """Listen on every socket."""
        serving = cls(server)
        loop = asyncio.get_running_loop()
        for sock in sockets:
            sock.setblocking(False)
            serving._listening.append(await loop.create_server(serving._web, sock=sock, ssl=tls, backlog=512))
        return serving

    async def close(self) -> None:
        """Stop listening and end every connection."""
        for listening in self._listening:
            listening.close()
        transports = [connection.transport for connection in self._web.connections]
        sockets = [transport.get_extra_info("socket") for transport in transports if transport is not None]
        await self._web.shutdown(SHUTDOWN_SECONDS)
        await _hang_up([sock for sock in sockets if sock is not None])
        for listening in self._listening:
            await listening.wait_closed()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.last_request = time.monotonic()
        if f"/{PROXY}" in request.rel_url.raw_path:
            answered = await self._proxied(request)
            if answered is not None:
                return answered
        asked = await _read(request)
        if isinstance(asked, ApiResponse):
            return await _send(request, asked)
        if any(protocol in asked.headers.get("upgrade", "").lower() for protocol in ("websocket", "spdy/3.1")):
            refused = await self._upgraded(request, asked)
            if isinstance(refused, web.StreamResponse):
                return refused
            return await _send(request, refused)
        return await _send(request, await self._server.handle(asked))

    async def _proxied(self, request: web.BaseRequest) -> web.StreamResponse | None:
        """For proxy subresources, whose bodies pass through unread; None for all else."""
        try:
            call = self._server.proxied(_with_protocol_token(_asked(request, b"")))
            return None if call is None else await self._server.proxy.answer(request, call)
        except StatusError as error:
            return await _send(request, error.response())

    async def _upgraded(self, request: web.BaseRequest, asked: ApiRequest) -> web.StreamResponse | ApiResponse:
        try:
            call = self._server.upgrade(_with_protocol_token(asked))
            if call is None:
                return await self._server.handle(_with_protocol_token(asked))
            return await self._server.relay.relay(request, call)  # type: ignore[arg-type]
        except StatusError as error:
            return error.response()


async def _hang_up(sockets: Sequence[socket.socket]) -> None:
    """End connections whose clients do not answer TLS's farewell, and wait until they are gone."""
    for sock in sockets:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(HANG_UP_SECONDS):
            while any(sock.fileno() != -1 for sock in sockets):  # noqa: ASYNC110 transports tell nobody
                await asyncio.sleep(0.001)


def _with_protocol_token(asked: ApiRequest) -> ApiRequest:
    """With a header for the token that a browser sends as a protocol's name."""
    for name in asked.headers.get("sec-websocket-protocol", "").split(","):
        text = name.strip()
        if text.startswith(TOKEN_PROTOCOL):
            encoded = text.removeprefix(TOKEN_PROTOCOL)
            with contextlib.suppress(ValueError):
                token = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
                return ApiRequest(
                    asked.method, asked.path, asked.query, {**asked.headers, "authorization": f"Bearer {token}"}
                )
    return asked


async def _read(request: web.BaseRequest) -> ApiRequest | ApiResponse:
    """The request, read whole; an answer when it is too large to be read."""
    if (request.content_length or 0) > LARGEST_BODY:
        return too_large().response()
    body = b""
    if request.can_read_body:
        parts: list[bytes] = []
        size = 0
        async for chunk in request.content.iter_any():
            parts.append(chunk)
            size += len(chunk)
            if size > LARGEST_BODY:
                return too_large().response()
        body = b"".join(parts)
    return _asked(request, body)


def _asked(request: web.BaseRequest, body: bytes) -> ApiRequest:
    query = list(request.rel_url.query.items())
    return ApiRequest(request.method, request.rel_url.raw_path, query, _headers_of(request), body)


def _headers_of(request: web.BaseRequest) -> dict[str, str]:
    """The headers by their lower-case names; of who asks, only what TLS vouches for."""
    headers: dict[str, str] = {}
    for each, value in request.headers.items():
        name = each.lower()
        if name.startswith(PREFIX) and name in headers:
            value = f"{headers[name]}{SEPARATOR}{value}"
        headers[name] = value
    headers.pop(IN_PROCESS_HEADER, None)
    headers.pop(CERTIFICATE_HEADER, None)
    certificate = request.get_extra_info("peercert")
    if certificate:
        headers[CERTIFICATE_HEADER] = certificate_header(certificate)
    return headers


async def _send(request: web.BaseRequest, answer: ApiResponse) -> web.StreamResponse:
    if isinstance(answer.body, bytes):
        return web.Response(status=answer.status, body=answer.body, headers={**_HEADERS, **answer.headers})
    response = web.StreamResponse(status=answer.status, headers={**_HEADERS, **answer.headers})
    response.enable_chunked_encoding()
    with contextlib.suppress(ConnectionError):  # the client has gone: there is nobody to tell
        await response.prepare(request)
        async for chunk in answer.body:
            await response.write(chunk)
        await response.write_eof()
    return response
