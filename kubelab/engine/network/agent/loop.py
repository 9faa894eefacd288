"""The agent's event loop: one thread, readable descriptors, the children that ended."""

from __future__ import annotations

import os
import selectors
import signal
from collections.abc import Callable
from contextlib import suppress


class SelectorLoop:
    """Calls back for readable descriptors and ended children until `stop`."""

    def __init__(self, ended: Callable[[int, int], None]) -> None:
        """``ended(pid, code)`` is called for every child that was reaped; code as in `Process.wait`."""
        self._ended = ended
        self._selector = selectors.DefaultSelector()
        self._running = True
        self._wake, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self.watch(self._wake, self.reap)

    def watch(self, fd: int, ready: Callable[[], None]) -> None:
        """Call ``ready`` whenever ``fd`` is readable or hung up."""
        self._selector.register(fd, selectors.EVENT_READ, ready)

    def unwatch(self, fd: int) -> None:
        """Stop watching."""
        self._selector.unregister(fd)

    def stop(self) -> None:
        """Let `run` return."""
        self._running = False

    def run(self) -> None:
        """Serve until `stop`."""
        while self._running:
            for key, _ in self._selector.select():
                if key.fd in self._selector.get_map():  # an earlier callback of this round may have taken it away
                    key.data()

    def reap(self) -> None:
        """Collect every child that has ended."""
        with suppress(BlockingIOError):
            os.read(self._wake, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            self._ended(pid, code if code >= 0 else 128 - code)
