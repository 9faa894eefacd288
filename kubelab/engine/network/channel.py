"""The engine's end of the channel to the agent, on asyncio."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from kubelab.engine.network.agent import messages
from kubelab.engine.network.agent.messages import Message
from kubelab.engine.network.contract import NetworkLost, StartFailed

T = TypeVar("T")
Accept = Callable[[Message, list[int]], T]
"""Takes a reply's result and its descriptors, which are its to keep or close, the moment the reply arrives."""


class AgentChannel:
    """Requests with their replies, in any order, and events."""

    def __init__(self, connection: socket.socket, event: Callable[[Message], None]) -> None:
        """``event`` is called for everything that is not a reply. Needs a running event loop."""
        self._connection = connection
        self._connection.setblocking(False)
        self._event = event
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, tuple[asyncio.Future[Any], Accept[Any], Callable[[Any], None]]] = {}
        self._sending = asyncio.Lock()
        self._lost = asyncio.Event()
        self._loop.add_reader(connection.fileno(), self._readable)

    async def ask(
        self,
        operation: str,
        accept: Accept[T],
        *,
        fds: Sequence[int] = (),
        abandon: Callable[[T], None] = lambda _: None,
        **arguments: Any,
    ) -> T:
        """Send a request, return what ``accept`` makes of its result. ``abandon`` gets it when nobody waits any more.

        Raises `NetworkLost`, and what the agent raised.
        """
        number = next(self._numbers)
        answer: asyncio.Future[T] = self._loop.create_future()
        self._waiting[number] = answer, accept, abandon
        try:
            await self._send({"id": number, "op": operation, **arguments}, fds)
        except BaseException:
            self._waiting.pop(number, None)
            raise
        return await answer

    async def lost(self) -> None:
        """Returns when the agent's end is gone."""
        await self._lost.wait()

    def close(self) -> None:
        """Close our end; every waiting request raises `NetworkLost`."""
        if self._lost.is_set():
            return
        self._lost.set()
        self._loop.remove_reader(self._connection.fileno())
        self._loop.remove_writer(self._connection.fileno())
        self._connection.close()
        for answer, _, _ in self._waiting.values():
            if not answer.done():
                answer.set_exception(gone())
        self._waiting.clear()

    async def _send(self, message: Message, fds: Sequence[int]) -> None:
        async with self._sending:
            while not self._lost.is_set():
                try:
                    messages.send(self._connection, message, fds)
                    return
                except BlockingIOError:
                    await self._writable()
                except (BrokenPipeError, ConnectionResetError):
                    break
        self.close()
        raise gone()

    async def _writable(self) -> None:
        ready = asyncio.Event()
        self._loop.add_writer(self._connection.fileno(), ready.set)
        lost = self._loop.create_task(self._lost.wait())
        writable = self._loop.create_task(ready.wait())
        try:
            await asyncio.wait([lost, writable], return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
            writable.cancel()
            if not self._lost.is_set():
                self._loop.remove_writer(self._connection.fileno())

    def _readable(self) -> None:
        try:
            received = messages.receive(self._connection)
        except BlockingIOError:
            return
        if received is None:
            self.close()
            return
        message, fds = received
        if "event" in message:
            self._event(message)
            return
        self._take_reply(message, fds)

    def _take_reply(self, message: Message, fds: list[int]) -> None:
        waiting = self._waiting.pop(message["id"], None)
        if waiting is None or "error" in message:
            for fd in fds:
                os.close(fd)
            if waiting is not None and not waiting[0].done():
                waiting[0].set_exception(as_exception(message["error"]))
            return
        answer, accept, abandon = waiting
        result = accept(message["result"], fds)
        if answer.done():  # cancelled
            abandon(result)
        else:
            answer.set_result(result)


def gone() -> NetworkLost:
    """The one sentence for a dead agent."""
    return NetworkLost("The network agent has ended, and with it every pod; the engine has to start a new one.")


def as_exception(error: Message) -> Exception:
    """What the agent raised, as the engine's callers know it."""
    kind, text = error["kind"], error["message"]
    if kind == "StartFailed":
        return StartFailed(text, error["code"])
    if kind == "OSError":
        return OSError(error["errno"], text)
    if kind == "KeyError":
        return LookupError(f"The network knows no such place: {text}.")
    return RuntimeError(f"The network agent failed: {kind}: {text}")
