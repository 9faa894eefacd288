"""How a container's process is ended: preStop, SIGTERM, SIGKILL (kubernetes.io: "Termination of Pods")."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

from kubelab.engine.client import Object
from kubelab.engine.node.actions import Actions, Failure
from kubelab.engine.node.clock import Deadline, cancel, first
from kubelab.engine.node.execution import Running

LEAST_TERM_SECONDS = 2.0
"""What SIGTERM gets at least when preStop has used the grace period up, as in kubelet."""


async def end(
    actions: Actions,
    running: Running,
    ended: asyncio.Future[int],
    lifecycle: Object,
    deadline: Deadline,
    turn: asyncio.Event,
    failed: Callable[[Failure], None],
) -> None:
    """End the process and wait for it; ``failed`` is told when its preStop hook fails.

    ``turn``: set when the others of the pod that have to end before it have (KEP-753: sidecars end last).
    """
    hook = lifecycle.get("preStop")
    if hook and deadline.seconds_left > 0:
        failure = await _pre_stop(actions.run(hook, running, deadline.seconds_left), ended, deadline)
        if failure is not None:
            failed(failure)
        deadline.at_least(LEAST_TERM_SECONDS)
    if not turn.is_set():
        await first(turn.wait(), ended, deadline.passed(), cancel=False)
        deadline.at_least(LEAST_TERM_SECONDS)
    await running.process.signal(getattr(signal, lifecycle.get("stopSignal") or "SIGTERM", signal.SIGTERM))
    await first(ended, deadline.passed(), cancel=False)
    if not ended.done():
        await running.process.signal(signal.SIGKILL)
    await asyncio.wait([ended])


async def _pre_stop(work: Any, ended: asyncio.Future[int], deadline: Deadline) -> Failure | None:
    working: asyncio.Future[None] = asyncio.ensure_future(work)
    await first(working, ended, deadline.passed(), cancel=False)
    if not working.done():
        await cancel(working)
        return None
    error = working.exception()
    if error is not None and not isinstance(error, Failure):
        raise error
    return error
