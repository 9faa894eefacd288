"""A clock that jumps to the loop's next timer instead of waiting for it."""

from __future__ import annotations

import asyncio

import pytest


@pytest.fixture(autouse=True)
async def jumping_clock(monkeypatch):
    """The loop never sleeps until a timer: the time it would have waited is added to its clock, which starts at 0."""
    loop = asyncio.get_running_loop()
    wait, jumped = loop._selector.select, 0.0

    def select(timeout=None):
        nonlocal jumped
        ready = wait(0)
        if ready or timeout is None:
            return ready or wait(timeout)
        jumped += max(timeout, 0)
        return ready

    monkeypatch.setattr(loop._selector, "select", select)
    monkeypatch.setattr(loop, "time", lambda: jumped)
    return
