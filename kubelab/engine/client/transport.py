"""How a request reaches the Kubernetes API: over HTTPS, or straight into a server in the same process.

Both carry the same bytes, so a client cannot tell them apart and cannot lean on a quirk of either.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

from kubelab.engine.client.programs import program_of

Query = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class ApiRequest:
    """One HTTP request to the API, read whole."""

    method: str
    path: str
    query: Query = ()
    headers: dict[str, str] = field(default_factory=dict)
    """Header names in lower case."""
    body: bytes = b""


@dataclass
class ApiResponse:
    """The answer: a body read whole, or for a watch or a followed log an iterator of chunks as they come."""

    status: int
    body: bytes | AsyncIterator[bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)
    """Header names in lower case; ``content-type`` is always there when there is a body."""


class Handler(Protocol):
    """A server of the API in this process (``kubelab.engine.apiserver`` has the only one)."""

    async def handle(self, request: ApiRequest) -> ApiResponse:
        """Answer one request; never raises for a bad request, answers with a Status."""
        ...


class Transport(Protocol):
    """What a client sends its requests through."""

    async def request(self, request: ApiRequest) -> ApiResponse:
        """Send, and read the whole answer; ``body`` is bytes."""
        ...

    def lines(self, request: ApiRequest) -> AsyncIterator[bytes]:
        """Send, and yield the answer line by line. Raises `StreamRefused` for a status other than 200.

        An asynchronous generator, so that it can be closed by whoever stops reading early.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class StreamRefused(Exception):
    """A stream was asked for and the API answered with an error instead."""

    def __init__(self, response: ApiResponse) -> None:
        super().__init__(f"status {response.status}")
        self.response = response


async def split_lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Closes ``chunks`` when it is closed itself: a server learns at once that nobody listens any more."""
    rest = b""
    try:
        async for chunk in chunks:
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                if line:
                    yield line
        if rest:
            yield rest
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()


class InProcessTransport:
    """Calls a `Handler` in this process: no socket, the same bytes.

    ``user`` is the identity that the request carries; the handler trusts it because nothing outside
    this process can set it.
    """

    def __init__(self, handler: Handler, user: str) -> None:
        self._handler = handler
        self._headers = {"kubelab-in-process-user": user, "user-agent": program_of(user)}

    def _signed(self, request: ApiRequest) -> ApiRequest:
        return ApiRequest(
            request.method, request.path, request.query, {**request.headers, **self._headers}, request.body
        )

    async def request(self, request: ApiRequest) -> ApiResponse:
        response = await self._handler.handle(self._signed(request))
        if not isinstance(response.body, bytes):
            response.body = b"".join([chunk async for chunk in response.body])
        return response

    async def lines(self, request: ApiRequest) -> AsyncIterator[bytes]:
        response = await self._handler.handle(self._signed(request))
        if response.status != 200:
            raise StreamRefused(response)
        if isinstance(response.body, bytes):
            for line in response.body.splitlines():
                yield line
            return
        async with aclosing(split_lines(response.body)) as lines:
            async for line in lines:
                yield line

    async def close(self) -> None:
        """Nothing to let go of."""
