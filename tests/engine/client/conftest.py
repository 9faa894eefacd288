"""Time is faked in every test of the client."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
async def faked_time(jumping_clock):
    """See `jumping_clock`."""
