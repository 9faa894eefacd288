"""Which system calls stop for the agent: a classic BPF program over ``struct seccomp_data`` (seccomp(2)).

Reading and writing never stop. Calls that carry no address, or an empty path, are told apart here, because a
look at an argument costs nanoseconds and a stop costs tens of microseconds.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

from kubelab.engine.network.agent.interposed import abi

_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06

Instruction = tuple[int, int, int, int]
_STOP: Instruction = (_RETURN, 0, 0, abi.SECCOMP_RET_USER_NOTIF)
_PASS: Instruction = (_RETURN, 0, 0, abi.SECCOMP_RET_ALLOW)

_WITH_ADDRESS = {"recvfrom": 4, "sendto": 4}
"""Calls that stop only if this argument is not NULL."""
_WITH_PATH = {"newfstatat": 3, "statx": 2}
"""Calls that stop only if these flags lack AT_EMPTY_PATH."""
_HOT = ("recvfrom", "sendto", "sendmsg", "recvmsg")

_NETWORK = (
    "connect", "bind", "listen", "accept", "accept4", "getsockname", "getpeername", "sendmmsg", "recvmmsg",
)  # fmt: skip
_FILES = (
    "openat", "newfstatat", "open", "stat", "lstat", "access", "readlink", "readlinkat", "faccessat", "statx",
    "openat2", "faccessat2", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2",
    "symlink", "symlinkat", "chmod", "fchmodat", "utimensat",
)  # fmt: skip
_PROCESS = ("uname", "kill")


def _low(argument: int) -> Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument)


def _high(argument: int) -> Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument + 4)


def _body(name: str, *, sockets: bool) -> list[Instruction]:
    if name in _WITH_ADDRESS or (name in ("accept", "accept4") and not sockets):
        at = _WITH_ADDRESS.get(name, 1)
        return [_low(at), (_EQUAL, 0, 2, 0), _high(at), (_EQUAL, 1, 0, 0), _STOP, _PASS]
    if name in _WITH_PATH:
        return [_low(_WITH_PATH[name]), (_ANY_BIT, 1, 0, abi.AT_EMPTY_PATH), _STOP, _PASS]
    if name == "sendmsg":
        return [_low(2), (_EQUAL, 1, 0, abi.HANDOVER_FLAGS), _STOP, _PASS]
    if name == "socket":
        inet = [(_EQUAL, 1, 0, socket.AF_INET), (_EQUAL, 0, 1, socket.AF_INET6)]
        return [_low(0), *inet, _STOP, _PASS]
    return [_STOP]


def names(*, sockets: bool) -> tuple[str, ...]:
    """The calls that stop on this machine. ``sockets``: also the making of internet sockets."""
    wanted = (*_HOT, *_NETWORK, *(("socket",) if sockets else ()), *_FILES, *_PROCESS)
    known = abi.machine().calls
    return tuple(name for name in wanted if name in known)


def program(*, sockets: bool) -> bytes:
    """The filter for this machine, 8 bytes an instruction. Calls of another architecture pass."""
    machine = abi.machine()
    out: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH_AT),
        (_EQUAL, 1, 0, machine.audit_arch),
        _PASS,
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    for name in names(sockets=sockets):
        body = _body(name, sockets=sockets)
        out += [(_EQUAL, 0, len(body), machine.calls[name]), *body]
    return _encode([*out, _PASS])


def _encode(instructions: Sequence[Instruction]) -> bytes:
    return b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
