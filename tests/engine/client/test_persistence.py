"""What a control plane says in a bad moment is no reason to give up, and what it says for good is one."""

from __future__ import annotations

import asyncio

import pytest

from kubelab.engine.client import ApiError, ApiResponse, Client, persistent
from kubelab.engine.client.resources import PODS


class Moody:
    """A transport that answers with these, one after the other, and then well."""

    def __init__(self, *moods: int | Exception) -> None:
        self.moods = list(moods)

    async def request(self, _request) -> ApiResponse:
        mood = self.moods.pop(0) if self.moods else 200
        if isinstance(mood, Exception):
            raise mood
        return ApiResponse(mood, b'{"message": "not now"}' if mood >= 400 else b'{"kind": "Pod"}')

    def lines(self, _request):
        raise NotImplementedError


@pytest.mark.parametrize("mood", [429, 500, 502, 503, 504, ConnectionResetError("gone"), TimeoutError()], ids=str)
async def test_what_passes_is_waited_for(mood):
    assert await persistent(Client(Moody(mood, mood)), 60).get(PODS, "web", "default") == {"kind": "Pod"}


@pytest.mark.parametrize("mood", [400, 403, 404, 409, 422], ids=str)
async def test_what_does_not_is_told_at_once(mood):
    transport = Moody(mood, mood)
    with pytest.raises(ApiError, match="not now"):
        await persistent(Client(transport), 60).get(PODS, "web", "default")
    assert transport.moods == [mood]


@pytest.mark.parametrize("mood", [503, ConnectionResetError("gone")], ids=str)
async def test_nobody_persists_for_ever(mood):
    begin = asyncio.get_running_loop().time()
    with pytest.raises((ApiError, ConnectionResetError)):
        await persistent(Client(Moody(*[mood] * 1000)), seconds=10).get(PODS, "web", "default")
    assert asyncio.get_running_loop().time() - begin < 13
