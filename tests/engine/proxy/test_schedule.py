"""When the proxy syncs."""

from __future__ import annotations

import asyncio

import pytest

from kubelab.engine.proxy.schedule import BoundedRunner

pytestmark = pytest.mark.usefixtures("jumping_clock")


class Work:
    def __init__(self, *outcomes: bool) -> None:
        self.times: list[float] = []
        self._outcomes = list(outcomes)

    async def __call__(self) -> bool:
        self.times.append(asyncio.get_running_loop().time())
        return self._outcomes.pop(0) if self._outcomes else True


async def run_until(work: Work, seconds: float, *asks: float) -> list[float]:
    runner = BoundedRunner(work, min_period=1, retry_period=30, max_period=3600)
    loop = asyncio.get_running_loop()
    for when in asks:
        loop.call_at(when, runner.ask)
    task = asyncio.create_task(runner.run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return [round(time, 3) for time in work.times]


async def test_the_first_request_and_one_after_quiet_are_answered_at_once():
    assert await run_until(Work(), 20, 0, 10) == [0, 10]


async def test_requests_in_a_row_are_answered_together_a_period_after_the_last_run():
    assert await run_until(Work(), 20, 5, 5.1, 5.2, 5.9) == [5, 6]


async def test_a_failure_is_tried_again_after_the_retry_period():
    assert await run_until(Work(False), 100, 0) == [0, 31]


async def test_without_requests_it_runs_once_an_hour():
    assert await run_until(Work(), 4000) == [3600]
