"""A pod's programs leave the machine's files as they are: Landlock (landlock(7)) where the kernel has it.

Landlock needs no privilege. Reading stays free; writing is allowed in the pod's own directories, its writable mounts
and the devices. A root's dangerous capabilities go as well.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterable
from ctypes import create_string_buffer

from kubelab.engine.network.agent.interposed.kernel import syscall
from kubelab.engine.network.agent.syscalls import keep_capabilities

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""The same on every architecture."""
_GET_VERSION = 1
_PATH_BENEATH = 1

_WRITE_FILE, _REMOVE_DIR, _REMOVE_FILE = 1 << 1, 1 << 4, 1 << 5
_MAKE = sum(1 << bit for bit in range(6, 13))
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_SINCE = {2: _REFER, 3: _TRUNCATE}
_ON_FILES = _WRITE_FILE | _TRUNCATE

_KEPT_CAPABILITIES = frozenset({0, 1, 3, 4, 5, 6, 7, 13})
"""capabilities(7): chown, dac_override, fowner, fsetid, kill, setgid, setuid, net_raw."""
_SETPCAP = 8


def version() -> int:
    """Landlock's version in this kernel, 0 where there is none or it is not allowed."""
    try:
        return syscall(_CREATE_RULESET, None, 0, _GET_VERSION)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
            raise
        return 0


def confine(writable: Iterable[str]) -> None:
    """Let this process and its children write below these paths and nowhere else. Needs no_new_privs."""
    _drop_capabilities()
    known = version()
    if not known:
        return
    handled = _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE
    handled |= sum(access for since, access in _SINCE.items() if known >= since)
    ruleset = syscall(_CREATE_RULESET, create_string_buffer(struct.pack("Q", handled)), 8, 0)
    try:
        for path in writable:
            _allow(ruleset, path, handled)
        syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, handled: int) -> None:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        access = handled if os.path.isdir(path) else handled & _ON_FILES
        rule = create_string_buffer(struct.pack("=Qi", access, fd))
        syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(fd)


def _drop_capabilities() -> None:
    with open("/proc/self/status") as status:
        fields = dict(line.split(":\t", 1) for line in status if line.startswith("Cap"))
    permitted = int(fields["CapPrm"], 16)
    if permitted >> _SETPCAP & 1:
        keep_capabilities(frozenset(bit for bit in _KEPT_CAPABILITIES if permitted >> bit & 1))
