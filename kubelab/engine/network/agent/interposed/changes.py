"""``mkdir``, ``unlink``, ``rename`` …: changes at paths that lead elsewhere, made by the agent."""

from __future__ import annotations

import errno
import os
import struct
import time

from kubelab.engine.network.agent.interposed import abi
from kubelab.engine.network.agent.interposed.files import elsewhere
from kubelab.engine.network.agent.interposed.kernel import syscall
from kubelab.engine.network.agent.interposed.notify import CONTINUE, Answer, Call

_TIMES = struct.Struct("qqqq")
_NOW, _OMIT = (1 << 30) - 1, (1 << 30) - 2
_PERMISSIONS = 0o7777


class Changes:
    """Answers the calls that change what is at a path."""

    def mkdir(self, call: Call) -> Answer:
        """mkdir(2)."""
        return self._mkdir(call, 0)

    def mkdirat(self, call: Call) -> Answer:
        """mkdirat(2)."""
        return self._mkdir(call, 1)

    def rmdir(self, call: Call) -> Answer:
        """rmdir(2)."""
        return self._remove(call, 0, directory=True)

    def unlink(self, call: Call) -> Answer:
        """unlink(2)."""
        return self._remove(call, 0, directory=False)

    def unlinkat(self, call: Call) -> Answer:
        """unlinkat(2)."""
        return self._remove(call, 1, directory=bool(call.descriptor(2) & abi.AT_REMOVEDIR))

    def rename(self, call: Call) -> Answer:
        """rename(2)."""
        return self._rename(call, 0, 1)

    def renameat(self, call: Call) -> Answer:
        """renameat(2)."""
        return self._rename(call, 1, 3)

    def renameat2(self, call: Call) -> Answer:
        """renameat2(2)."""
        return self._rename(call, 1, 3, call.descriptor(4))

    def symlink(self, call: Call) -> Answer:
        """symlink(2)."""
        return self._symlink(call, 1)

    def symlinkat(self, call: Call) -> Answer:
        """symlinkat(2)."""
        return self._symlink(call, 2)

    def chmod(self, call: Call) -> Answer:
        """chmod(2)."""
        return self._chmod(call, 0)

    def fchmodat(self, call: Call) -> Answer:
        """fchmodat(2)."""
        return self._chmod(call, 1)

    def utimensat(self, call: Call) -> Answer:
        """utimensat(2)."""
        path = _writable(call, 1)
        if path is None:
            return CONTINUE
        if call.arguments[2]:
            os.utime(path, ns=_times(path, call.read(call.arguments[2], _TIMES.size)))
        else:
            os.utime(path)
        return 0

    def _mkdir(self, call: Call, at: int) -> Answer:
        path = _writable(call, at)
        if path is None:
            return CONTINUE
        os.mkdir(path, call.descriptor(at + 1) & _PERMISSIONS & ~0o022)
        return 0

    def _remove(self, call: Call, at: int, *, directory: bool) -> Answer:
        path = _writable(call, at)
        if path is None:
            return CONTINUE
        if directory:
            os.rmdir(path)
        else:
            os.unlink(path)
        return 0

    def _rename(self, call: Call, old_at: int, new_at: int, flags: int = 0) -> Answer:
        old, new = _writable(call, old_at), _writable(call, new_at)
        if old is None and new is None:
            return CONTINUE
        if old is None or new is None:  # half of it is the kernel's: as between two file systems
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        number = abi.machine().calls["renameat2"]
        return syscall(number, abi.AT_FDCWD, os.fsencode(old), abi.AT_FDCWD, os.fsencode(new), flags)

    def _symlink(self, call: Call, at: int) -> Answer:
        path = _writable(call, at)
        if path is None:
            return CONTINUE
        os.symlink(call.read_string(call.arguments[0]), os.fsencode(path))
        return 0

    def _chmod(self, call: Call, at: int) -> Answer:
        path = _writable(call, at)
        if path is None:
            return CONTINUE
        os.chmod(path, call.descriptor(at + 1) & _PERMISSIONS)
        return 0


def _writable(call: Call, at: int) -> str | None:
    """Where the path leads; None for an ordinary one. Raises OSError when nothing may be changed there."""
    found = elsewhere(call, at)
    if found is None:
        return None
    path, read_only = found
    if read_only:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    return path


def _times(path: str, data: bytes) -> tuple[int, int]:
    """Access and modification time in nanoseconds."""
    now = os.stat(path)
    access, access_ns, change, change_ns = _TIMES.unpack(data)
    return _time(access, access_ns, now.st_atime_ns), _time(change, change_ns, now.st_mtime_ns)


def _time(seconds: int, nanoseconds: int, unchanged: int) -> int:
    if nanoseconds == _OMIT:
        return unchanged
    return time.time_ns() if nanoseconds == _NOW else seconds * 1_000_000_000 + nanoseconds
