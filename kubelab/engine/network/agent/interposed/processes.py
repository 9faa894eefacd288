"""``uname`` and ``kill``: a program's host name, and a pod's processes as if it were alone with process 1."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from contextlib import suppress

from kubelab.engine.network.agent.interposed.census import caught, members
from kubelab.engine.network.agent.interposed.notify import CONTINUE, LATER, Answer, Call
from kubelab.engine.network.agent.interposed.places import Context

_UTS_FIELD = 65
_libc = ctypes.CDLL(None, use_errno=True)


def uname(call: Call) -> Answer:
    """uname(2) with the pod's name as node name."""
    name = call.context.hostname.encode()[: _UTS_FIELD - 1]
    if not name:
        return CONTINUE
    buffer = ctypes.create_string_buffer(6 * _UTS_FIELD)
    _libc.uname(buffer)
    raw = buffer.raw
    call.write(call.arguments[0], raw[:_UTS_FIELD] + name.ljust(_UTS_FIELD, b"\0") + raw[2 * _UTS_FIELD :])
    return 0


def kill(call: Call) -> Answer:
    """kill(2): in a pod, 1 is the container's first process and nothing outside the container exists."""
    context = call.context
    if context.site.place.kind != "pod":
        return CONTINUE
    target, number = call.descriptor(0), call.descriptor(1)
    if target == 0:
        return CONTINUE
    if target in (1, context.first):
        return _kill_first(context, number)
    if number and number not in signal.valid_signals():
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    inside = members(context)
    if target == -1:
        call.finish(0)  # before its children's ends call it away
        _kill_all(inside - {context.first, call.thread}, number)
        return LATER
    if abs(target) not in inside:
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
    return CONTINUE


def _kill_first(context: Context, number: int) -> int:
    """Process 1 gets only the signals that it asked for (pid_namespaces(7))."""
    if not number:
        os.kill(context.first, 0)
    elif number in signal.valid_signals() and caught(context.first, number):
        os.kill(context.first, number)
    return 0


def _kill_all(pids: set[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
