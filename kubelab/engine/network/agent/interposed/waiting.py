"""Calls that have to wait: a blocking ``connect``, ``accept`` or ``recvfrom``, answered when its socket is ready."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress

from kubelab.engine.network.agent.interposed import abi
from kubelab.engine.network.agent.interposed.kernel import called_away, open_process
from kubelab.engine.network.agent.interposed.notify import LATER, Answer, Call, Unreachable
from kubelab.engine.network.agent.interposed.poller import READ, Poller, timer

_LOOK_EVERY_SECONDS = 0.1


class Waits:
    """The calls that wait. A wait ends with its answer, its time, its process, or a signal to it.

    A caller that is answered by the agent sleeps through signals (else every signal could end a call that never
    fails so, as ``open``), and nobody is told of them: while calls wait, somebody has to look.
    """

    def __init__(self, poller: Poller) -> None:
        self._poller = poller
        self._waiting: set[_Wait] = set()
        self._clock = -1

    def add(
        self,
        call: Call,
        sock: socket.socket,
        events: int,
        ready: Callable[[socket.socket], Answer],
        *,
        seconds: float = 0,
        late: int = 0,
    ) -> Answer:
        """Call ``ready`` with (a duplicate of) the socket at each of its events until the answer is not `LATER`.

        After ``seconds`` (0: never) the call fails with errno ``late``. Raises OSError.
        """
        wait = _Wait(self._poller, self._ended, call, sock, events, ready, seconds, late)
        self._waiting.add(wait)
        if self._clock < 0:
            self._clock = timer(_LOOK_EVERY_SECONDS, again=True)
            self._poller.watch(self._clock, READ, lambda _: self.look())
        return LATER

    def look(self) -> None:
        """Send away the callers that a signal waits for."""
        if self._clock >= 0:
            with suppress(BlockingIOError):
                os.read(self._clock, 8)
        for wait in list(self._waiting):
            wait.look()

    def _ended(self, wait: _Wait) -> None:
        self._waiting.discard(wait)
        if not self._waiting:
            self._poller.unwatch(self._clock)
            os.close(self._clock)
            self._clock = -1


class _Wait:
    def __init__(
        self,
        poller: Poller,
        ended: Callable[[_Wait], None],
        call: Call,
        sock: socket.socket,
        events: int,
        ready: Callable[[socket.socket], Answer],
        seconds: float,
        late: int,
    ) -> None:
        self._ended = ended
        self._poller, self._call, self._ready, self._late = poller, call, ready, late
        # What is held here keeps a port open, so the wait must not outlive the process.
        process = open_process(call.thread)
        self._sock = sock.dup()
        self._fds = [process]
        poller.watch(process, READ, lambda _: self._end())
        poller.watch(self._sock.fileno(), events, lambda _: self._turn())
        if seconds:
            self._fds.append(timer(seconds))
            poller.watch(self._fds[-1], READ, lambda _: self._expire())

    def _turn(self) -> None:
        if not self._call.waits():
            self._end()
            return
        try:
            answer = self._ready(self._sock)
        except OSError as error:
            self._end()
            self._call.fail(error.errno or 0)
            return
        except Unreachable:
            self._end()
            self._call.fail(errno.EFAULT)
            return
        if answer is not LATER or not self._call.waits():
            self._end()
            self._call.finish(answer)

    def look(self) -> None:
        """Let the kernel deliver a signal: it knows whether the call is made again or fails with EINTR."""
        if called_away(self._call.thread):
            self._end()
            self._call.fail(abi.ERESTARTSYS)

    def _expire(self) -> None:
        self._end()
        self._call.fail(self._late)

    def _end(self) -> None:
        self._ended(self)
        self._poller.unwatch(self._sock.fileno())
        self._sock.close()
        for fd in self._fds:
            self._poller.unwatch(fd)
            os.close(fd)
