"""What a control plane says in a bad moment is no reason to give up, and what it says for good is one."""

from __future__ import annotations

import asyncio

import pytest

from kubelab.engine.client import ApiError, persist

PASSING = [
    ApiError(500, "InternalError", "etcdserver: leader changed"),
    ApiError(503, "ServiceUnavailable", "the server is currently unable to handle the request"),
    ApiError(504, "Timeout", "request did not complete within requested timeout"),
    ApiError(409, "Conflict", "the object has been modified"),
    ConnectionResetError("gone"),
    ExceptionGroup("two at once", [TimeoutError(), ApiError(429, "TooManyRequests", "busy")]),
]
LASTING = [
    ApiError(403, "Forbidden", "not you"),
    ApiError(409, "AlreadyExists", "it is there"),
    FileNotFoundError("pki/ca.crt"),
    ExceptionGroup("two at once", [TimeoutError(), ApiError(403, "Forbidden", "not you")]),
]


class Work:
    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)

    async def __call__(self) -> str:
        if self.failures:
            raise self.failures.pop(0)
        return "done"


@pytest.mark.parametrize("failure", PASSING, ids=str)
async def test_what_passes_is_waited_for(failure):
    assert await persist(Work(failure, failure)) == "done"


@pytest.mark.parametrize("failure", LASTING, ids=str)
async def test_what_does_not_is_raised_at_once(failure):
    with pytest.raises(type(failure)) as raised:
        await persist(Work(failure))
    assert raised.value is failure


async def test_nobody_persists_for_ever():
    begin = asyncio.get_running_loop().time()
    with pytest.raises(ConnectionResetError):
        await persist(Work(*[ConnectionResetError("gone")] * 1000), seconds=10)
    assert asyncio.get_running_loop().time() - begin < 13
