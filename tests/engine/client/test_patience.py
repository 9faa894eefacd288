"""A server that says when to come again is asked again then, and not for ever."""

from __future__ import annotations

import asyncio

import pytest

from kubelab.engine.client import ApiError, ApiResponse, Client
from kubelab.engine.client.api import LONGEST_WAIT_SECONDS, MOST_RETRIES
from kubelab.engine.client.resources import PODS

pytestmark = pytest.mark.usefixtures("jumping_clock")

BUSY = '{"kind":"Status","status":"Failure","code":429,"reason":"TooManyRequests","message":"busy"}'


class Answers:
    """Of a transport: these, and the last one again and again."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def request(self, _request) -> ApiResponse:
        self.asked += 1
        status, wait = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        headers = {"retry-after": wait} if wait else {}
        return ApiResponse(status, BUSY.encode() if status >= 400 else b'{"kind":"Pod"}', headers)


@pytest.mark.parametrize("status", [429, 503])
async def test_after_the_time_that_it_says(status):
    transport = Answers((status, "2"), (status, "1"), (200, ""))
    begin = asyncio.get_running_loop().time()
    assert await Client(transport).get(PODS, "web", "default") == {"kind": "Pod"}
    assert asyncio.get_running_loop().time() - begin == pytest.approx(3)


async def test_not_for_ever_and_never_long():
    transport = Answers((429, "3600"))
    begin = asyncio.get_running_loop().time()
    with pytest.raises(ApiError, match="busy"):
        await Client(transport).get(PODS, "web", "default")
    assert transport.asked == MOST_RETRIES + 1
    assert asyncio.get_running_loop().time() - begin == pytest.approx(MOST_RETRIES * LONGEST_WAIT_SECONDS)


async def test_one_that_does_not_say_when_is_not_asked_again():
    transport = Answers((429, ""))
    with pytest.raises(ApiError, match="busy"):
        await Client(transport).get(PODS, "web", "default")
    assert transport.asked == 1
