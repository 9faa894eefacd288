from __future__ import annotations

import asyncio

import pytest

from kubelab.engine.node.clock import SystemClock, within


async def test_work_ends_with_whoever_waits_for_it() -> None:
    """A probe that is called off leaves no connection attempt behind that nobody waits for."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.create_task(within(SystemClock(), 60, work()))
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()
