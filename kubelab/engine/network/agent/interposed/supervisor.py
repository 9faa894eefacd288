"""From stopped calls to their handlers."""

from __future__ import annotations

import errno
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator

from kubelab.engine.network.agent.interposed import abi, processes
from kubelab.engine.network.agent.interposed.changes import Changes
from kubelab.engine.network.agent.interposed.connecting import Connecting
from kubelab.engine.network.agent.interposed.datagrams import Datagrams
from kubelab.engine.network.agent.interposed.files import Files
from kubelab.engine.network.agent.interposed.kernel import Memory, Notification
from kubelab.engine.network.agent.interposed.names import Names
from kubelab.engine.network.agent.interposed.notify import CONTINUE, Answer, Call, Unreachable
from kubelab.engine.network.agent.interposed.places import Context
from kubelab.engine.network.agent.interposed.poller import HUNG_UP, READ, Poller

Handler = Callable[[Call], Answer]

MOST_THREADS = 1024
"""Of one container that are remembered before the ended ones are forgotten."""


class Supervisor:
    """Answers the calls of every program that was put under it."""

    def __init__(
        self, poller: Poller, memory: Memory, connecting: Connecting, names: Names, datagrams: Datagrams
    ) -> None:
        self._poller, self._memory = poller, memory
        files, changes = Files(), Changes()
        by_name: dict[str, Handler] = {
            "accept": names.accept,
            "accept4": names.accept,
            "faccessat2": files.faccessat,
            "kill": processes.kill,
            "uname": processes.uname,
        }
        for part in (connecting, names, datagrams, files, changes):
            by_name.update({name: getattr(part, name) for name in abi.machine().calls if hasattr(part, name)})
        self._handlers = {abi.machine().calls[name]: by_name[name] for name in abi.machine().calls if name in by_name}
        self._contexts: dict[int, Context] = {}

    def supervise(self, listener: int, context: Context) -> None:
        """Answer for a program and its children until the last has ended; the listener is closed then."""
        self._contexts[listener] = context
        Notification.prefer_this_processor(listener)
        self._poller.watch(listener, READ, lambda events: self._turn(listener, context, events))

    def threads(self) -> Iterator[int]:
        """The threads that were seen making calls, some of which have ended."""
        for context in set(self._contexts.values()):
            _forget_the_ended(context)
            yield from context.threads
            yield from context.programs

    def close(self) -> None:
        """Answer no more; calls that wait fail with ENOSYS."""
        for listener in list(self._contexts):
            self._drop(listener)

    def _turn(self, listener: int, context: Context, events: int) -> None:
        if not events & READ:
            if events & HUNG_UP:
                self._drop(listener)
            return
        try:
            call = Call(listener, self._memory, context)
        except OSError as error:
            if error.errno != errno.ENOENT:  # its caller is gone
                raise
            return
        context.threads[call.thread] = time.clock_gettime(time.CLOCK_BOOTTIME)
        if len(context.threads) > MOST_THREADS:
            _forget_the_ended(context)
        self._answer(call)

    def _answer(self, call: Call) -> None:
        try:
            answer = self._handlers[call.number](call)
        except Unreachable:
            call.finish(CONTINUE)
        except OSError as error:
            call.fail(error.errno or errno.EIO)
        except Exception:  # one call must not end the network: say it in the log, let the kernel answer
            traceback.print_exc(file=sys.stderr)
            call.finish(CONTINUE)
        else:
            call.finish(answer)

    def _drop(self, listener: int) -> None:
        del self._contexts[listener]
        self._poller.unwatch(listener)
        os.close(listener)


def _forget_the_ended(context: Context) -> None:
    context.threads = {each: seen for each, seen in context.threads.items() if os.path.exists(f"/proc/{each}")}
