"""registry.k8s.io/pause: waits, and reaps what is orphaned to it."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from types import FrameType


def main(argv: Sequence[str]) -> int:
    """Wait for SIGTERM or SIGINT, as upstream's pause does. Answers 0."""
    del argv
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    signal.signal(signal.SIGCHLD, _reap)
    while True:
        signal.pause()


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(0)


def _reap(number: int, frame: FrameType | None) -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return
