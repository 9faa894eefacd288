from __future__ import annotations

import asyncio
import json

import pytest

from kubelab.engine.client import ApiRequest, ApiResponse, Client, InProcessTransport, Line
from kubelab.engine.client.resources import PODS


class _Api:
    """Answers gets at once, or never when it is told to hang; a watch yields what is put into its queue."""

    def __init__(self) -> None:
        self.hangs = False
        self.events: asyncio.Queue = asyncio.Queue()
        self.watchers = 0

    async def handle(self, request: ApiRequest) -> ApiResponse:
        if dict(request.query).get("watch"):
            return ApiResponse(200, self._watch())
        if self.hangs:
            await asyncio.Event().wait()
        return ApiResponse(200, b'{"metadata": {"name": "web"}}')

    async def _watch(self):
        self.watchers += 1
        try:
            while (event := await self.events.get()) is not None:
                yield json.dumps(event).encode() + b"\n"
        finally:
            self.watchers -= 1


@pytest.fixture
def api() -> _Api:
    return _Api()


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def client(api, line) -> Client:
    return line.client(Client(InProcessTransport(api, "system:node:worker")))


async def test_requests_go_through_until_the_line_is_cut_and_again_when_it_is_mended(client, line):
    assert (await client.get(PODS, "web", "default"))["metadata"]["name"] == "web"
    line.cut()
    with pytest.raises(ConnectionError, match="the line to it is cut"):
        await client.get(PODS, "web", "default")
    line.mend()
    assert await client.get(PODS, "web", "default")


async def test_a_request_under_way_fails_when_the_line_is_cut(client, line, api):
    api.hangs = True
    asking = asyncio.ensure_future(client.get(PODS, "web", "default"))
    await asyncio.sleep(0)
    line.cut()
    with pytest.raises(ConnectionError):
        await asking


async def test_a_watch_ends_with_the_line_and_lets_go_of_the_server(client, line, api):
    seen = []

    async def watch() -> None:
        async for kind, _ in client.watch(PODS, resource_version="1"):
            seen.append(kind)
            line.cut()

    api.events.put_nowait({"type": "ADDED", "object": {}})
    api.events.put_nowait({"type": "MODIFIED", "object": {}})
    with pytest.raises(OSError):
        await watch()
    assert seen == ["ADDED"]
    assert api.watchers == 0


async def test_a_watch_that_the_server_ends_just_ends(client, api):
    api.events.put_nowait({"type": "ADDED", "object": {}})
    api.events.put_nowait(None)
    assert [kind async for kind, _ in client.watch(PODS, resource_version="1")] == ["ADDED"]


async def test_a_time_limit_of_ones_own_stays_a_time_limit(client, api):
    api.hangs = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await client.get(PODS, "web", "default")
