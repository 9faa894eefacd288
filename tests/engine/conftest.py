"""What tests of several parts of the engine share."""

from __future__ import annotations

import asyncio

import pytest


@pytest.fixture
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
