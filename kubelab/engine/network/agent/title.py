"""The name under which ``ps`` shows a process that was forked, not executed."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

_PR_SET_NAME = 15
_area: tuple[int, int] | None = None


def find_area() -> None:
    """Find the memory of this process's command line; forked children inherit it. Call once, while /proc is there.

    Source: fields 48 and 49 (arg_start, arg_end) of proc_pid_stat(5).
    """
    global _area
    with open("/proc/self/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    _area = (start, end) if 0 < start < end else None


def set_title(argv: Sequence[str]) -> None:
    """Show ``argv`` in ``ps``, cut to the room that the agent's own command line had.

    A last byte that is not zero tells the kernel that this is a title, one string, and not arguments.
    """
    ctypes.CDLL(None).prctl(_PR_SET_NAME, argv[0].rpartition("/")[2].encode()[:15], 0, 0, 0)
    if _area is None:
        return
    start, end = _area
    text = " ".join(argv).encode()[: end - start - 2]
    ctypes.memmove(start, text.ljust(end - start - 1, b"\0") + b".", end - start)
