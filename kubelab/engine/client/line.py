"""The way from one place to the API, which can be cut: what a partition is to the clients there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar, cast

from kubelab.engine.client.api import Client
from kubelab.engine.client.transport import ApiRequest, ApiResponse, Transport

T = TypeVar("T")


class Line:
    """While it is cut, requests over it fail with a ConnectionError (an OSError), those under way and watches too."""

    def __init__(self) -> None:
        self.is_cut = False
        self._under_way: set[asyncio.Timeout] = set()

    def cut(self) -> None:
        """From now on nothing gets through."""
        self.is_cut = True
        now = asyncio.get_running_loop().time()
        for each in self._under_way:
            each.reschedule(now)

    def mend(self) -> None:
        """From now on everything does again."""
        self.is_cut = False

    def client(self, client: Client) -> Client:
        """The same client, over this line."""
        return client.by(lambda transport: _Carried(transport, self))

    async def carry(self, work: Callable[[], Awaitable[T]]) -> T:
        """What the work answers. Raises ConnectionError when the line is cut, before or meanwhile."""
        limit = asyncio.timeout(None)
        try:
            if self.is_cut:
                raise _unreachable()
            async with limit:
                self._under_way.add(limit)
                return await work()
        except TimeoutError:
            if limit.expired():
                raise _unreachable() from None
            raise
        finally:
            self._under_way.discard(limit)


class _Carried:
    """A `Transport` whose every exchange goes over a line."""

    def __init__(self, transport: Transport, line: Line) -> None:
        self._transport = transport
        self._line = line

    async def request(self, request: ApiRequest) -> ApiResponse:
        return await self._line.carry(lambda: self._transport.request(request))

    async def lines(self, request: ApiRequest) -> AsyncIterator[bytes]:
        async with aclosing(cast(AsyncGenerator[bytes, None], self._transport.lines(request))) as lines:
            while True:
                try:
                    line = await self._line.carry(lambda: anext(lines))
                except StopAsyncIteration:
                    return
                yield line

    async def close(self) -> None:
        """The transport is others' as well."""


def _unreachable() -> ConnectionError:
    return ConnectionError("the API cannot be reached from here: the line to it is cut")
