from __future__ import annotations

import asyncio
import logging
from itertools import pairwise

import pytest

from kubelab.engine.client import ApiError, WorkQueue


def clock() -> float:
    return round(asyncio.get_running_loop().time(), 3)


async def running(queue: WorkQueue[str], until: asyncio.Event) -> None:
    work = asyncio.create_task(queue.run())
    await asyncio.wait_for(until.wait(), 600)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


async def test_a_key_added_twice_while_it_waits_is_done_once():
    done, finished = [], asyncio.Event()

    async def reconcile(key: str) -> None:
        done.append(key)
        if key == "last":
            finished.set()

    queue: WorkQueue[str] = WorkQueue("test", reconcile, workers=1)
    for key in ["a", "a", "b", "a", "last"]:
        queue.add(key)
    await running(queue, finished)
    assert done == ["a", "b", "last"]


async def test_a_key_added_while_it_is_worked_on_is_done_again_and_never_twice_at_once():
    spans, finished = [], asyncio.Event()

    async def reconcile(key: str) -> None:
        start = clock()
        if len(spans) == 0:
            queue.add(key)
            queue.add(key)
        await asyncio.sleep(1)
        spans.append((start, clock()))
        if len(spans) == 2:
            queue.add_after("end", 5)
        if key == "end":
            finished.set()

    queue: WorkQueue[str] = WorkQueue("test", reconcile, workers=4)
    queue.add("a")
    await running(queue, finished)
    assert spans == [(0, 1), (1, 2), (7, 8)]


async def test_failures_back_off_and_a_success_forgets_them(caplog):
    tries, finished = [], asyncio.Event()

    async def reconcile(key: str) -> None:
        tries.append(clock())
        if len(tries) in (5, 7):
            if len(tries) == 7:
                finished.set()
            queue.add_after(key, 100)
            return
        raise ApiError(500, "InternalError", "the disk is full")

    queue: WorkQueue[str] = WorkQueue("test", reconcile)
    queue.add("a")
    with caplog.at_level(logging.WARNING):
        await running(queue, finished)
    waits = [round(after - before, 3) for before, after in pairwise(tries)]
    assert waits == [0.01, 0.02, 0.04, 0.08, 100, 0.01]
    assert "test: a: InternalError (500): the disk is full" in caplog.text


async def test_the_longest_wait_between_tries_is_ten_seconds():
    tries, finished = [], asyncio.Event()

    async def reconcile(key: str) -> None:
        tries.append(clock())
        if len(tries) == 14:
            finished.set()
        raise ApiError(409, "Conflict", "changed")

    queue: WorkQueue[str] = WorkQueue("test", reconcile)
    queue.add("a")
    await running(queue, finished)
    assert round(tries[-1] - tries[-2], 3) == 10


@pytest.mark.parametrize("delays", [(5, 2), (2, 5)])
async def test_the_earliest_of_several_delays_wins(delays):
    done, finished = [], asyncio.Event()

    async def reconcile(key: str) -> None:
        done.append((key, clock()))
        if key == "end":
            finished.set()

    queue: WorkQueue[str] = WorkQueue("test", reconcile)
    for seconds in delays:
        queue.add_after("a", seconds)
    queue.add_after("end", 10)
    await running(queue, finished)
    assert done == [("a", 2), ("end", 10)]


async def test_conflicts_are_retried_without_a_word_in_the_log(caplog):
    tries, finished = [], asyncio.Event()

    async def reconcile(key: str) -> None:
        tries.append(key)
        if len(tries) == 2:
            finished.set()
            return
        raise ApiError(409, "Conflict", "changed")

    queue: WorkQueue[str] = WorkQueue("test", reconcile)
    queue.add("a")
    with caplog.at_level(logging.INFO):
        await running(queue, finished)
    assert caplog.text == ""
