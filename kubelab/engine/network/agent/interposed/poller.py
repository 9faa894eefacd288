"""Readable, writable, timed out: an epoll of the backend's own, nested in the agent's loop as one descriptor."""

from __future__ import annotations

import ctypes
import os
import select
import struct
import sys
import traceback
from collections.abc import Callable

from kubelab.engine.network.agent.backend import Loop

READ, WRITE, HUNG_UP = select.EPOLLIN, select.EPOLLOUT, select.EPOLLHUP
_ROUNDS = 64
"""How often the poller asks again before it lets the agent's loop look at its other descriptors."""


class Poller:
    """Calls back with the events of the descriptors it was given."""

    def __init__(self, loop: Loop) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._new: set[int] = set()
        """Watched since the events were fetched: events under these numbers may be of others, which are closed now."""
        loop.watch(self._epoll.fileno(), self._turn)

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Call ``callback(events)`` for every turn in which ``fd`` is ready or hung up."""
        self._epoll.register(fd, events)
        self._callbacks[fd] = callback
        self._new.add(fd)

    def unwatch(self, fd: int) -> None:
        """Stop; do it before closing the descriptor."""
        self._epoll.unregister(fd)
        del self._callbacks[fd]

    def _turn(self) -> None:
        for _ in range(_ROUNDS):
            self._new.clear()
            ready = self._epoll.poll(0)
            if not ready:
                return
            for fd, events in ready:
                callback = self._callbacks.get(fd)
                if callback is not None and fd not in self._new:  # else an earlier callback took it away
                    self._call(callback, events)

    @staticmethod
    def _call(callback: Callable[[int], None], events: int) -> None:
        try:
            callback(events)
        except Exception:  # every pod lives below the agent: one call that goes wrong must not end them all
            traceback.print_exc(file=sys.stderr)


_libc = ctypes.CDLL(None, use_errno=True)


def timer(seconds: float, *, again: bool = False) -> int:
    """A descriptor that becomes readable after ``seconds`` (and ``again`` each time); the caller's to close.

    Raises OSError.
    """
    monotonic, flags = 1, os.O_CLOEXEC | os.O_NONBLOCK
    fd = int(_libc.timerfd_create(monotonic, flags))
    whole = int(seconds)
    first = whole, max(1, int((seconds - whole) * 1e9))
    setting = struct.pack("qqqq", *(first if again else (0, 0)), *first)
    if fd < 0 or _libc.timerfd_settime(fd, 0, setting, None) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return fd
