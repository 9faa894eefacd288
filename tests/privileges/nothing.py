"""Run a command with nothing allowed, as a Binder session is: ``nothing.py COMMAND ARG…``.

No capability now or later, no new privileges, no further user namespace, /proc/sys read-only. A user and mount
namespace around it makes this possible without touching the machine; where that is refused, namespaces are refused
already, and only the rest is left to do. Standard library only; must be started by a plain user.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC = 1, 2, 4, 8, 32, 4096, 16384
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
UID_INSIDE = 1000

libc = ctypes.CDLL(None, use_errno=True)


def enclose() -> None:
    """Into a user namespace of our own, where there may be no other and kernel settings are read-only."""
    uid, gid = os.getuid(), os.getgid()
    _checked(libc.unshare(CLONE_NEWUSER | CLONE_NEWNS))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{UID_INSIDE} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{UID_INSIDE} {gid} 1")
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    _checked(libc.mount(b"/proc/sys", b"/proc/sys", None, MS_BIND | MS_REC, None))
    read_only = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC
    _checked(libc.mount(None, b"/proc/sys", None, read_only, None))


def renounce() -> None:
    """Every capability, for us and for all that we start."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for capability in range(last + 1):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # refused when we have none to renounce
    _checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    try:
        enclose()
    except PermissionError:
        print("nothing.py: this machine refuses user namespaces by itself", file=sys.stderr)
    renounce()
    os.execvp(sys.argv[1], sys.argv[1:])
