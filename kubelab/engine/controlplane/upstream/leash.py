"""``leash.py PARENT PROGRAM ARGUMENT …``: become the program, and die when the parent does, however it dies.

Run as a file by an isolated interpreter without site-packages: a fork of the engine's own process would have to change
itself between fork and exec, which is not safe beside threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> int:
    """Does not return where all is well."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(argv[0]):
        return 1  # it has died already
    os.execv(argv[1], argv[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
