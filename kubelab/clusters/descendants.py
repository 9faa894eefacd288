"""A process and all below it, held by descriptors, so that none is missed and no stranger with a reused pid is hit."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress
from pathlib import Path


class Descendants:
    """A process with its children and theirs, as they were when this was made or looked again."""

    def __init__(self, pid: int) -> None:
        self._root = pid
        self._held: dict[int, int] = {}
        self.look_again()

    def look_again(self) -> None:
        """Take in what was started since. Has to be done while the parents still live."""
        for pid in below(self._root):
            if pid not in self._held:
                with suppress(ProcessLookupError):
                    self._held[pid] = os.pidfd_open(pid)

    def wait(self, seconds: float) -> bool:
        """Wait until all have ended, as long as that; whether they have."""
        poll = select.poll()
        for file in self._held.values():
            poll.register(file, select.POLLIN)
        left, deadline = len(self._held), time.monotonic() + seconds
        while left and (now := time.monotonic()) <= deadline:
            for file, _ in poll.poll(1000 * (deadline - now)):
                poll.unregister(file)
                left -= 1
        return not left

    def kill(self, seconds: float) -> list[int]:
        """Kill all, parents first, and wait as long as that. The pids that live on."""
        for file in self._held.values():
            with suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(file, signal.SIGKILL)
        return [] if self.wait(seconds) else [pid for pid, file in self._held.items() if not _has_ended(file)]

    def close(self) -> None:
        """Let go of the descriptors; the processes go on."""
        for file in self._held.values():
            os.close(file)
        self._held.clear()


def _has_ended(file: int) -> bool:
    return bool(select.select([file], [], [], 0)[0])


def below(root: int) -> list[int]:
    """The process and all below it, parents before their children."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    family = [root]
    for pid in family:
        family += children.get(pid, [])
    return family
