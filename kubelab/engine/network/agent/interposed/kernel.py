"""The system calls that Python has no name for."""

from __future__ import annotations

import array
import ctypes
import errno
import os
import socket
import struct
from fcntl import ioctl

from kubelab.engine.network.agent.interposed import abi

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long

PAGE = 4096


def syscall(number: int, *arguments: object) -> int:
    """A system call by number; pointers are ctypes objects. Raises OSError."""
    result = _syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(result)


def prctl(option: int, argument: int | bytes) -> None:
    """prctl(2) with one argument. Raises OSError."""
    if _libc.prctl(option, argument if isinstance(argument, bytes) else ctypes.c_ulong(argument), 0, 0, 0):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def get_fd(pid: int, fd: int) -> int:
    """A duplicate of another process's descriptor (pidfd_getfd(2)), ``pid`` being any of its threads.

    Raises OSError: EPERM where the call is refused, EBADF when there is no such descriptor.
    """
    pidfd = open_process(pid)
    try:
        return syscall(abi.machine().calls["pidfd_getfd"], pidfd, fd, 0)
    finally:
        os.close(pidfd)


def open_process(thread: int) -> int:
    """A pidfd of the process that a thread belongs to. Raises OSError."""
    try:
        return os.pidfd_open(thread)
    except OSError:  # not the process's first thread
        return os.pidfd_open(thread_group(thread))


def called_away(thread: int) -> bool:
    """Whether a signal waits for a thread that it does not block (SigPnd, ShdPnd, SigBlk of proc_pid_status(5))."""
    try:
        with open(f"/proc/{thread}/status", "rb") as status:
            masks = {
                line[:6]: int(line[7:], 16) for line in status if line.startswith((b"SigPnd", b"ShdPnd", b"SigBlk"))
            }
    except FileNotFoundError:
        return False
    return bool((masks[b"SigPnd"] | masks[b"ShdPnd"]) & ~masks[b"SigBlk"])


def thread_group(thread: int) -> int:
    """The process that a thread belongs to. Raises ProcessLookupError."""
    try:
        with open(f"/proc/{thread}/status", "rb") as status:
            for line in status:
                if line.startswith(b"Tgid:"):
                    return int(line[5:])
    except FileNotFoundError:
        pass
    raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))


class _FilterProgram(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def install_filter(program: bytes) -> int:
    """Put this thread and its children under a filter (classic BPF, 8 bytes an instruction).

    Returns the listener's descriptor. Cannot be undone. Raises OSError: EBUSY under another listener, EPERM or
    ENOSYS where the machine refuses, EINVAL on kernels before 5.0.
    """
    prctl(abi.PR_SET_NO_NEW_PRIVS, 1)
    prog = _FilterProgram(len(program) // 8, program)
    flags = abi.SECCOMP_FILTER_FLAG_NEW_LISTENER
    try:
        return _set_filter(flags | abi.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, prog)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return _set_filter(flags, prog)  # a kernel before 5.19: a signal may end any call with EINTR


def _set_filter(flags: int, prog: _FilterProgram) -> int:
    return syscall(abi.machine().calls["seccomp"], abi.SECCOMP_SET_MODE_FILTER, flags, ctypes.byref(prog))


def send_handover(channel: socket.socket, descriptor: int) -> None:
    """Send a descriptor with the one ``sendmsg`` that the filter lets pass (see `abi.HANDOVER_FLAGS`).

    The caller's other calls may stop already and nobody answers them yet: nothing else must happen here.
    """
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))
    channel.sendmsg([b"{}"], [rights], abi.HANDOVER_FLAGS)


class _IoVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Memory:
    """Other processes' memory, read and written by process_vm_readv(2), or by /proc where that is refused."""

    def __init__(self, *, by_call: bool = True) -> None:
        calls = abi.machine().calls
        self._readv, self._writev = calls["process_vm_readv"], calls["process_vm_writev"]
        self._buffer = ctypes.create_string_buffer(1 << 17)
        self._view = memoryview(self._buffer).cast("B")
        self._local, self._remote = _IoVec(ctypes.addressof(self._buffer), 0), _IoVec(0, 0)
        self._local_ref, self._remote_ref = ctypes.byref(self._local), ctypes.byref(self._remote)
        self.by_call = by_call
        """False where process_vm_readv is refused and /proc/PID/mem is used."""

    def read(self, pid: int, address: int, length: int) -> bytes:
        """``length`` bytes (fewer at the end of the mapping). Raises OSError: EFAULT, ESRCH."""
        if not self.by_call:
            return self._read_file(pid, address, length)
        length = min(length, len(self._buffer))
        self._local.length = self._remote.length = length
        self._remote.base = address
        count = self._transfer(self._readv, pid)
        return bytes(self._view[:count]) if self.by_call else self._read_file(pid, address, length)

    def write(self, pid: int, address: int, data: bytes) -> None:
        """Write all of ``data``. Raises OSError: EFAULT, ESRCH."""
        if not self.by_call:
            return self._write_file(pid, address, data)
        for start in range(0, len(data), len(self._buffer)):
            part = data[start : start + len(self._buffer)]
            self._view[: len(part)] = part
            self._local.length = self._remote.length = len(part)
            self._remote.base = address + start
            count = self._transfer(self._writev, pid)
            if not self.by_call:
                return self._write_file(pid, address, data)
            if count != len(part):
                raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
        return None

    def read_string(self, pid: int, address: int, limit: int = PAGE) -> bytes:
        """The bytes up to NUL. Raises OSError: EFAULT, ENAMETOOLONG."""
        parts = b""
        while len(parts) < limit:
            position = address + len(parts)
            part = self.read(pid, position, min(256, PAGE - position % PAGE))
            text, nul, _ = part.partition(b"\0")
            parts += text
            if nul:
                return parts
            if not part:
                raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))

    def _transfer(self, number: int, pid: int) -> int:
        count = _syscall(
            ctypes.c_long(number),
            pid,
            self._local_ref,
            ctypes.c_ulong(1),
            self._remote_ref,
            ctypes.c_ulong(1),
            ctypes.c_ulong(0),
        )
        if count < 0:
            code = ctypes.get_errno()
            if code not in (errno.EPERM, errno.ENOSYS):
                raise OSError(code, os.strerror(code))
            self.by_call = False
        return int(count)

    @staticmethod
    def _read_file(pid: int, address: int, length: int) -> bytes:
        fd = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(fd, length, address)
        finally:
            os.close(fd)

    @staticmethod
    def _write_file(pid: int, address: int, data: bytes) -> None:
        fd = os.open(f"/proc/{pid}/mem", os.O_WRONLY | os.O_CLOEXEC)
        try:
            if os.pwrite(fd, data, address) != len(data):
                raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
        finally:
            os.close(fd)


class Notification:
    """What RECV fills in: ``id`` of the stopped call, the caller's ``thread``, the call's number and arguments."""

    FORMAT = struct.Struct("QIIiIQ6Q")
    _ANSWER = struct.Struct("QqiI")
    _ADDFD = struct.Struct("QIIII")

    @classmethod
    def receive(cls, listener: int) -> tuple[int, ...]:
        """(id, thread, flags, number, arch, instruction, six arguments). Raises OSError: ENOENT when it is gone."""
        buffer = bytearray(cls.FORMAT.size)
        ioctl(listener, abi.SECCOMP_IOCTL_NOTIF_RECV, buffer)
        return cls.FORMAT.unpack(buffer)

    @classmethod
    def send(cls, listener: int, ident: int, value: int, error: int, flags: int) -> None:
        """Let the call end (or go on, by its flag). Raises OSError: ENOENT when the caller no longer waits."""
        ioctl(listener, abi.SECCOMP_IOCTL_NOTIF_SEND, cls._ANSWER.pack(ident, value, -error, flags))

    @classmethod
    def add_fd(cls, listener: int, ident: int, fd: int, fd_flags: int, *, send: bool) -> int:
        """Give the caller a duplicate of ``fd``; with ``send`` its number ends the call (kernel 5.14)."""
        flags = abi.SECCOMP_ADDFD_FLAG_SEND if send else 0
        request = bytearray(cls._ADDFD.pack(ident, flags, fd, 0, fd_flags))
        return ioctl(listener, abi.SECCOMP_IOCTL_NOTIF_ADDFD, request)

    @staticmethod
    def prefer_this_processor(listener: int) -> None:
        """Wake the caller on the processor that answered it, where the kernel can (6.6): half the time a call."""
        try:
            ioctl(listener, abi.SECCOMP_IOCTL_NOTIF_SET_FLAGS, abi.SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTTY):
                raise

    @staticmethod
    def waits(listener: int, ident: int) -> bool:
        """Whether the caller still waits for its answer."""
        try:
            ioctl(listener, abi.SECCOMP_IOCTL_NOTIF_ID_VALID, struct.pack("Q", ident))
        except OSError:
            return False
        return True
