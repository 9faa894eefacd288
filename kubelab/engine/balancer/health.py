"""Asking a node from outside whether it takes a Service's traffic, as load balancers ask: by HTTP."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Awaitable, Callable

from kubelab.engine.network.contract import NetworkLost

log = logging.getLogger(__name__)

PATH = "/healthz"
SECONDS = 1.0
"""A node that has not answered by then is ill."""

Connect = Callable[[str, int, float], Awaitable[socket.socket]]
"""``await connect(ip, port, seconds)``: a TCP connection from the outside."""


async def is_healthy(connect: Connect, ip: str, port: int) -> bool:
    """Whether ``GET /healthz`` is answered with 200."""
    try:
        async with asyncio.timeout(SECONDS):
            with await connect(ip, port, SECONDS) as connection:
                # Closed by a reset: conntrack forgets that in 10 s, and a learner's list of connections stays short.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return await _status(connection, f"{ip}:{port}") == 200
    except (OSError, NetworkLost, ValueError) as error:
        log.debug("health check of %s:%d: %s", ip, port, error)
        return False


async def _status(connection: socket.socket, host: str) -> int:
    loop = asyncio.get_running_loop()
    request = f"GET {PATH} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: kubelab-load-balancer\r\nConnection: close\r\n\r\n"
    await loop.sock_sendall(connection, request.encode())
    head = b""
    while b"\r\n" not in head and (piece := await loop.sock_recv(connection, 4096)):
        head += piece
    words = head.split(b" ", 2)
    return int(words[1]) if len(words) > 2 else 0
