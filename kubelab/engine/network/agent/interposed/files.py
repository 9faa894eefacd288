"""Paths that lead elsewhere: a pod's ``/etc/resolv.conf``, ``/etc/hosts``, ``/etc/hostname`` and its mounts.

Without a mount namespace the agent opens such a file itself and hands it over, or makes the call itself and copies
the answer. Only absolute paths are looked at; what a program opens relative to a directory that it was handed is the
kernel's business again.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from kubelab.engine.network.agent.interposed import abi
from kubelab.engine.network.agent.interposed.kernel import PAGE, syscall
from kubelab.engine.network.agent.interposed.notify import CONTINUE, LATER, Answer, Call

_STATX_BYTES = 256
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_OPEN_HOW = struct.Struct("QQQ")
_MAY_WRITE = 2


class Files:
    """Answers the calls that look at a path."""

    def __init__(self) -> None:
        self._calls = abi.machine().calls
        self._stat_bytes = abi.machine().stat_bytes

    def open(self, call: Call) -> Answer:
        """open(2)."""
        return self._open(call, 0, call.descriptor(1), call.descriptor(2))

    def openat(self, call: Call) -> Answer:
        """openat(2)."""
        return self._open(call, 1, call.descriptor(2), call.descriptor(3))

    def openat2(self, call: Call) -> Answer:
        """openat2(2); its ``resolve`` is not looked at."""
        if elsewhere(call, 1) is None:
            return CONTINUE
        flags, mode, _ = _OPEN_HOW.unpack(call.read(call.arguments[2], _OPEN_HOW.size))
        return self._open(call, 1, flags, mode)

    def _open(self, call: Call, path_at: int, flags: int, mode: int) -> Answer:
        found = elsewhere(call, path_at)
        if found is None:
            return CONTINUE
        path, read_only = found
        if read_only and flags & _WRITING:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        # Without O_NONBLOCK a FIFO would stop the agent.
        fd = os.open(path, flags | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK, mode & 0o7777)
        try:
            os.set_blocking(fd, not flags & os.O_NONBLOCK)
            call.give(fd, close_on_exec=bool(flags & os.O_CLOEXEC))
        finally:
            os.close(fd)
        return LATER

    def stat(self, call: Call) -> Answer:
        """stat(2)."""
        return self._answered(call, 0, 1, self._stat_bytes, "stat")

    def lstat(self, call: Call) -> Answer:
        """lstat(2)."""
        return self._answered(call, 0, 1, self._stat_bytes, "lstat")

    def newfstatat(self, call: Call) -> Answer:
        """fstatat(2)."""
        return self._answered(call, 1, 2, self._stat_bytes, "newfstatat", call.descriptor(3))

    def statx(self, call: Call) -> Answer:
        """statx(2)."""
        found = elsewhere(call, 1)
        if found is None:
            return CONTINUE
        buffer = ctypes.create_string_buffer(_STATX_BYTES)
        flags, mask = call.descriptor(2), call.descriptor(3)
        syscall(self._calls["statx"], abi.AT_FDCWD, found[0].encode(), flags, mask, buffer)
        call.write(call.arguments[4], buffer.raw)
        return 0

    def readlink(self, call: Call) -> Answer:
        """readlink(2)."""
        return self._readlink(call, 0)

    def readlinkat(self, call: Call) -> Answer:
        """readlinkat(2)."""
        return self._readlink(call, 1)

    def access(self, call: Call) -> Answer:
        """access(2)."""
        return self._access(call, 0)

    def faccessat(self, call: Call) -> Answer:
        """faccessat(2) and faccessat2(2)."""
        return self._access(call, 1)

    def _answered(
        self, call: Call, path_at: int, buffer_at: int, size: int, name: str, flags: int | None = None
    ) -> Answer:
        """A call that fills in one structure."""
        found = elsewhere(call, path_at)
        if found is None:
            return CONTINUE
        buffer = ctypes.create_string_buffer(size)
        path = found[0].encode()
        if flags is None:
            syscall(self._calls[name], path, buffer)
        else:
            syscall(self._calls[name], abi.AT_FDCWD, path, buffer, flags)
        call.write(call.arguments[buffer_at], buffer.raw)
        return 0

    def _readlink(self, call: Call, path_at: int) -> Answer:
        found = elsewhere(call, path_at)
        if found is None:
            return CONTINUE
        target = os.fsencode(os.readlink(found[0]))[: min(call.arguments[path_at + 2], PAGE)]
        call.write(call.arguments[path_at + 1], target)
        return len(target)

    def _access(self, call: Call, path_at: int) -> Answer:
        found = elsewhere(call, path_at)
        if found is None:
            return CONTINUE
        path, read_only = found
        mode = call.descriptor(path_at + 1)
        if read_only and mode & _MAY_WRITE:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        syscall(self._calls["faccessat"], abi.AT_FDCWD, path.encode(), mode, 0)
        return 0


def elsewhere(call: Call, path_at: int) -> tuple[str, bool] | None:
    """Where the path leads and whether it is read-only there; None for an ordinary path."""
    prefixes = call.context.prefixes
    if not prefixes:
        return None
    path = call.read_string(call.arguments[path_at])
    if not path.startswith(prefixes):
        return None
    return call.context.redirect(os.fsdecode(path))
