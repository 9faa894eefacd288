"""One stopped system call: who makes it, with which arguments, and how it is answered."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from kubelab.engine.network.agent.interposed import abi
from kubelab.engine.network.agent.interposed.kernel import Memory, Notification

if TYPE_CHECKING:
    from kubelab.engine.network.agent.interposed.places import Context


class _Other:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


CONTINUE: Final = _Other("CONTINUE")
"""The kernel carries the call out as it was made."""
LATER: Final = _Other("LATER")
"""The call is answered by somebody else, or has been."""

Answer = int | _Other
"""What a handler returns: the call's result, `CONTINUE` or `LATER`. An OSError that it raises is the call's error."""


class Call:
    """A stopped call. Reading or writing the caller's memory raises `Unreachable` when that is not possible."""

    __slots__ = ("_ident", "_listener", "_memory", "arguments", "context", "number", "thread")

    def __init__(self, listener: int, memory: Memory, context: Context) -> None:
        """Take the next one. Raises OSError: ENOENT when its caller is gone."""
        self._listener, self._memory, self.context = listener, memory, context
        self._ident, self.thread, _, self.number, _, _, *self.arguments = Notification.receive(listener)

    def descriptor(self, position: int) -> int:
        """An argument that is an ``int``."""
        value = self.arguments[position] & 0xFFFFFFFF
        return value - (1 << 32) if value >= 1 << 31 else value

    def read(self, address: int, length: int) -> bytes:
        """``length`` bytes of the caller's memory."""
        try:
            data = self._memory.read(self.thread, address, length)
        except OSError as error:
            raise Unreachable from error
        if len(data) < length:
            raise Unreachable
        return data

    def read_string(self, address: int) -> bytes:
        """The bytes up to NUL."""
        try:
            return self._memory.read_string(self.thread, address)
        except OSError as error:
            raise Unreachable from error

    def write(self, address: int, data: bytes) -> None:
        """Write into the caller's memory."""
        try:
            self._memory.write(self.thread, address, data)
        except OSError as error:
            raise Unreachable from error

    def waits(self) -> bool:
        """Whether the caller still waits (a signal may have called it away)."""
        return Notification.waits(self._listener, self._ident)

    def finish(self, answer: Answer) -> bool:
        """Answer. False when the caller no longer waits."""
        if answer is LATER:
            return True
        if isinstance(answer, int):
            return self._send(answer, 0, 0)
        return self._send(0, 0, abi.SECCOMP_USER_NOTIF_FLAG_CONTINUE)

    def fail(self, code: int) -> bool:
        """Answer with an errno. False when the caller no longer waits."""
        return self._send(0, code or errno.EIO, 0)

    def give(self, fd: int, *, close_on_exec: bool) -> None:
        """Answer with a new descriptor for ``fd``. Raises OSError: ENOENT when the caller no longer waits."""
        flags = os.O_CLOEXEC if close_on_exec else 0
        try:
            Notification.add_fd(self._listener, self._ident, fd, flags, send=True)
        except OSError as error:
            if error.errno != errno.EINVAL:  # a kernel before 5.14 takes two steps
                raise
            number = Notification.add_fd(self._listener, self._ident, fd, flags, send=False)
            Notification.send(self._listener, self._ident, number, 0, 0)

    def _send(self, value: int, code: int, flags: int) -> bool:
        try:
            Notification.send(self._listener, self._ident, value, code, flags)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
            return False
        return True


class Unreachable(Exception):
    """The caller's memory or descriptor cannot be had: the kernel may say what is wrong with it."""
