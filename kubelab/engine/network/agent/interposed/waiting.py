"""Calls that have to wait: a blocking ``connect``, ``accept`` or ``recvfrom``, answered when its socket is ready."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable

from kubelab.engine.network.agent.interposed.kernel import open_process
from kubelab.engine.network.agent.interposed.notify import LATER, Answer, Call, Unreachable
from kubelab.engine.network.agent.interposed.poller import READ, Poller, timer


class Waits:
    """The calls that wait. A wait ends with its answer, its time, its process, or a signal to it."""

    def __init__(self, poller: Poller) -> None:
        self._poller = poller

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
        _Wait(self._poller, call, sock, events, ready, seconds, late)
        return LATER


class _Wait:
    def __init__(
        self,
        poller: Poller,
        call: Call,
        sock: socket.socket,
        events: int,
        ready: Callable[[socket.socket], Answer],
        seconds: float,
        late: int,
    ) -> None:
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

    def _expire(self) -> None:
        self._end()
        self._call.fail(self._late)

    def _end(self) -> None:
        self._poller.unwatch(self._sock.fileno())
        self._sock.close()
        for fd in self._fds:
            self._poller.unwatch(fd)
            os.close(fd)
