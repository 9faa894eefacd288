"""Small HTTP answers on sockets that somebody else opened: health checks, metrics. No dependencies, GET only."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple

log = logging.getLogger(__name__)

READ_SECONDS = 5.0

Listen = Callable[[str, int], Awaitable[socket.socket]]
"""``await listen(ip, port)``: a listening TCP socket in the node's network."""


class Answer(NamedTuple):
    """What is sent back."""

    body: str
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = {}


Handler = Callable[[str], Answer | None]
"""Path in, answer out; None is 404."""


async def serve(sock: socket.socket, handler: Handler) -> asyncio.Server:
    """Answer GET requests on a listening socket, one a connection."""

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), READ_SECONDS)
            words = head.split(b"\r\n", 1)[0].split()
            path = words[1].decode(errors="replace").partition("?")[0] if len(words) > 1 else "/"
            writer.write(_encode(handler(path) or Answer("404 page not found\n", 404), head=words[0] == b"HEAD"))
            await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.debug("a request was not answered: %s", error)
        finally:
            writer.close()

    return await asyncio.start_server(connection, sock=sock)


def _encode(answer: Answer, *, head: bool) -> bytes:
    body = answer.body.encode()
    lines = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if head else body)
