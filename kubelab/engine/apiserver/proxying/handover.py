"""A connection that leaves HTTP (websockets, SPDY, anything else) handed over to the server behind a proxy's path."""

from __future__ import annotations

import asyncio

from aiohttp import web

from kubelab.engine.apiserver.proxying.connecting import Ways, open_streams, why
from kubelab.engine.apiserver.proxying.headers import to_client, to_server
from kubelab.engine.apiserver.proxying.locations import Location
from kubelab.engine.apiserver.status import StatusError
from kubelab.engine.apiserver.upgrading import LARGEST_HEAD, Head, join, read_head, read_rest
from kubelab.engine.upgraded import Upgraded

ANSWER_SECONDS = 30.0
"""For the connection, and again for the first answer."""


async def hand_over(request: web.BaseRequest, ways: Ways, to: Location, target: str) -> web.StreamResponse:
    """Join client and server until either ends; a server's refusal is the answer. Raises a Status (500)."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await open_streams(ways, to, limit=LARGEST_HEAD)
    except OSError as error:
        raise StatusError(500, "", f"error dialing backend: {why(to, error)}") from None
    try:
        head, body = await _greet(request, reader, writer, to, target)
        headers = to_client(head.headers)
        if head.code != 101:
            return web.Response(status=head.code, headers=headers, body=body)
        outer = Upgraded(head.headers.get("Upgrade", request.headers.get("Upgrade", "")), headers)
        outer.begin(request)
        await join(outer, reader, writer)
        return outer
    finally:
        writer.close()


async def _greet(
    request: web.BaseRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: Location, target: str
) -> tuple[Head, bytes]:
    headers = to_server(request.headers, request.remote or "", upgrade=True)
    lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape"))
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            head = await read_head(reader)
            body = await read_rest(reader, head) if head.code != 101 else b""
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
        raise StatusError(500, "", why(to, error)) from None
    if head.code != 101 and head.code < 400:
        raise StatusError(500, "", f"invalid upgrade response: status code {head.code}")
    return head, body
