"""Work that is begun again while the control plane is not itself: changes its leader, has too much to do, hangs up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from kubelab.engine.client.errors import ApiError, is_conflict

log = logging.getLogger(__name__)

T = TypeVar("T")

PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 2.0
PATIENCE_SECONDS = 60.0
"""An election of etcd's and the start of a kube-apiserver are over by then."""


async def persist(work: Callable[[], Awaitable[T]], seconds: float = PATIENCE_SECONDS) -> T:
    """What the work answers, which has to be such that it can be begun again after it was half done.

    Raises what it raised last after so many seconds, and at once what will not pass.
    """
    clock = asyncio.get_running_loop().time
    deadline, pause = clock() + seconds, PAUSE_SECONDS
    while True:
        try:
            return await work()
        except (ApiError, OSError, ExceptionGroup) as error:
            if clock() >= deadline or not will_pass(error):
                raise
            log.info("the API could not answer: %s; once more", error)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def will_pass(error: Exception) -> bool:
    """Whether the same request may be answered later: the answer is lost, late, or due to the moment."""
    if isinstance(error, ExceptionGroup):
        return all(map(will_pass, error.exceptions))
    if isinstance(error, ApiError):
        return error.code in (429, 500, 502, 503, 504) or is_conflict(error)
    return isinstance(error, ConnectionError | TimeoutError)
