"""Linux numbers that Python does not export: system calls, seccomp and structure sizes, by machine."""

from __future__ import annotations

import platform
from typing import NamedTuple

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_X86_64 = {
    "open": 2,
    "stat": 4,
    "lstat": 6,
    "access": 21,
    "socket": 41,
    "connect": 42,
    "accept": 43,
    "sendto": 44,
    "recvfrom": 45,
    "sendmsg": 46,
    "recvmsg": 47,
    "bind": 49,
    "listen": 50,
    "getsockname": 51,
    "getpeername": 52,
    "kill": 62,
    "uname": 63,
    "rename": 82,
    "mkdir": 83,
    "rmdir": 84,
    "unlink": 87,
    "symlink": 88,
    "readlink": 89,
    "chmod": 90,
    "openat": 257,
    "mkdirat": 258,
    "newfstatat": 262,
    "unlinkat": 263,
    "renameat": 264,
    "symlinkat": 266,
    "readlinkat": 267,
    "fchmodat": 268,
    "faccessat": 269,
    "utimensat": 280,
    "accept4": 288,
    "recvmmsg": 299,
    "sendmmsg": 307,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "renameat2": 316,
    "seccomp": 317,
    "statx": 332,
    "openat2": 437,
    "pidfd_getfd": 438,
    "faccessat2": 439,
}

_AARCH64 = {
    "mkdirat": 34,
    "unlinkat": 35,
    "symlinkat": 36,
    "renameat": 38,
    "faccessat": 48,
    "fchmodat": 53,
    "openat": 56,
    "readlinkat": 78,
    "newfstatat": 79,
    "utimensat": 88,
    "kill": 129,
    "uname": 160,
    "socket": 198,
    "bind": 200,
    "listen": 201,
    "accept": 202,
    "connect": 203,
    "getsockname": 204,
    "getpeername": 205,
    "sendto": 206,
    "recvfrom": 207,
    "sendmsg": 211,
    "recvmsg": 212,
    "accept4": 242,
    "recvmmsg": 243,
    "sendmmsg": 269,
    "process_vm_readv": 270,
    "process_vm_writev": 271,
    "renameat2": 276,
    "seccomp": 277,
    "statx": 291,
    "openat2": 437,
    "pidfd_getfd": 438,
    "faccessat2": 439,
}


class Machine(NamedTuple):
    """What differs between processors: the audit architecture, call numbers by name, the size of ``struct stat``."""

    audit_arch: int
    calls: dict[str, int]
    stat_bytes: int


MACHINES = {
    "x86_64": Machine(AUDIT_ARCH["x86_64"], _X86_64, 144),
    "aarch64": Machine(AUDIT_ARCH["aarch64"], _AARCH64, 128),
}


def machine() -> Machine:
    """This processor's numbers. Raises OSError where they are not known."""
    name = platform.machine()
    if name not in MACHINES:
        raise OSError(f"system calls cannot be supervised on {name} (known: {', '.join(MACHINES)})")
    return MACHINES[name]


# linux/seccomp.h
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_NEW_LISTENER = 1 << 3
SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 1 << 5
SECCOMP_RET_ALLOW = 0x7FFF0000
SECCOMP_RET_USER_NOTIF = 0x7FC00000
SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1
SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP = 1
SECCOMP_ADDFD_FLAG_SEND = 1 << 1
SECCOMP_IOCTL_NOTIF_RECV = 0xC0502100
SECCOMP_IOCTL_NOTIF_SEND = 0xC0182101
SECCOMP_IOCTL_NOTIF_ID_VALID = 0x40082102
SECCOMP_IOCTL_NOTIF_ADDFD = 0x40182103
SECCOMP_IOCTL_NOTIF_SET_FLAGS = 0x40082104

# linux/prctl.h
PR_SET_NO_NEW_PRIVS = 38
PR_SET_CHILD_SUBREAPER = 36
PR_SET_PDEATHSIG = 1

# linux/in.h, linux/in6.h, linux/fcntl.h
IP_PKTINFO = 8
IP_BIND_ADDRESS_NO_PORT = 24
AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_REMOVEDIR = 0x200
MSG_FASTOPEN = 0x20000000

ERESTARTSYS = 512
"""linux/errno.h: let the signal that is pending decide between EINTR and another attempt."""

HANDOVER_FLAGS = 0x4 | 0x800 | 0x4000
"""The flags (DONTROUTE, CONFIRM, NOSIGNAL: without meaning on a unix socket) of the one ``sendmsg`` that is never
stopped: with it a new program hands its listener to the agent."""
