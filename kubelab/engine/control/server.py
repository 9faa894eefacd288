"""The engine's side of the control socket."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from kubelab.engine.control.address import short_address
from kubelab.engine.state import StateDir

log = logging.getLogger(__name__)

LONGEST_REQUEST = 64 << 20
"""Bytes; what a client may feed to a program's stdin."""


class Refused(Exception):
    """Raised by a handler: the client sees this one sentence as the answer."""


@dataclass
class Call:
    """One call, as its handler sees it."""

    op: str
    arguments: dict[str, Any]
    files: list[int] = field(default_factory=list)
    """Descriptors that the client passed along; the server closes them before it answers."""
    signals: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    """Signals that the client sends while the handler runs."""


Handler = Callable[[Call], Awaitable[Mapping[str, Any]]]
"""Answers one call. It is cancelled when the client hangs up."""


class ControlServer:
    """Listens in the state directory from ``start`` to ``close``."""

    def __init__(self, state: StateDir) -> None:
        self._path = state.control
        self._handlers: dict[str, Handler] = {}
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.last_call = time.monotonic()
        """When somebody last asked for something (`time.monotonic`), to find out that nobody needs the engine."""

    def on(self, op: str, handler: Handler) -> None:
        """Answer ``op`` with this handler."""
        self._handlers[op] = handler

    async def start(self) -> None:
        """Bind and listen. A socket that a dead engine left behind is replaced."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        with short_address(self._path) as address:
            listener.bind(address)
            os.chmod(address, 0o600)
        listener.listen(64)
        self._listener = listener
        self._spawn(self._accept(listener))

    async def close(self) -> None:
        """Stop listening, end the calls under way, and take the socket away."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            self._path.unlink(missing_ok=True)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(listener)
            connection.setblocking(False)
            self._spawn(self._serve(connection))

    async def _serve(self, connection: socket.socket) -> None:
        lines = _Lines(connection)
        try:
            if _uid_of_peer(connection) not in (os.getuid(), 0):
                return
            if (first := await lines.next()) is None:
                return
            self.last_call = time.monotonic()
            answer = await self._answer(first, lines)
            self.last_call = time.monotonic()
            lines.close_files()
            if answer is not None:
                await asyncio.get_running_loop().sock_sendall(connection, json.dumps(answer).encode() + b"\n")
        except OSError as error:
            log.debug("a control connection broke: %s", error)
        finally:
            lines.close_files()
            connection.close()

    async def _answer(self, request: dict[str, Any], lines: _Lines) -> dict[str, Any] | None:
        """The answer to send; None when the client has hung up."""
        call = Call(str(request.get("op")), dict(request.get("arguments") or {}), lines.files)
        handler = self._handlers.get(call.op)
        if handler is None:
            return {"error": f"The engine does not know {call.op!r}; it knows {', '.join(sorted(self._handlers))}."}
        work = asyncio.ensure_future(handler(call))
        listening = asyncio.ensure_future(_listen(lines, call.signals))
        try:
            await asyncio.wait((work, listening), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                return None
            return {"result": dict(work.result())}
        except Refused as error:
            return {"error": str(error)}
        except Exception as error:
            log.exception("%r failed", call.op)
            return {"error": f"The engine could not do {call.op!r}: {type(error).__name__}: {error}"}
        finally:
            for task in (work, listening):
                task.cancel()
            await asyncio.gather(work, listening, return_exceptions=True)


async def _listen(lines: _Lines, signals: asyncio.Queue[int]) -> None:
    """Returns when the client has hung up."""
    while (message := await lines.next()) is not None:
        if isinstance(number := message.get("signal"), int):
            signals.put_nowait(number)


class _Lines:
    """JSON lines with the descriptors that came along."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""
        self.files: list[int] = []

    def close_files(self) -> None:
        """Close the descriptors that came along."""
        while self.files:
            os.close(self.files.pop())

    async def next(self) -> dict[str, Any] | None:
        """The next message; None at the end, or when what comes is no message."""
        while b"\n" not in self._rest:
            await _readable(self._connection)
            with suppress(BlockingIOError):
                more, files, _, _ = socket.recv_fds(self._connection, 1 << 20, 3, socket.MSG_CMSG_CLOEXEC)
                self.files += files
                if not more or len(self._rest) > LONGEST_REQUEST:
                    return None
                self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        try:
            message = json.loads(line)
        except ValueError:
            return None
        return message if isinstance(message, dict) else None


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(connection, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection)


def _uid_of_peer(connection: socket.socket) -> int:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid: int = struct.unpack("3i", credentials)[1]
    return uid
