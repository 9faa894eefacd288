"""A program that runs in the cluster's network on this command's own stdin, stdout and stderr.

The descriptors themselves travel to the engine, so no byte is copied. A terminal cannot be handed over, because a
program in another session has no job control on it; there the program gets a terminal of its own, which is copied.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kubelab.clusters.base import ClusterError
from kubelab.engine.control.client import Call, ControlError
from kubelab.engine.state import StateDir

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_here(state: StateDir, place: str, argv: Sequence[str]) -> int:
    """Run it to its end; its exit code. Raises `ClusterError`."""
    try:
        if sys.stdin.isatty() and sys.stdout.isatty():
            return _on_terminal(state, place, argv)
        return _on_descriptors(state, place, argv)
    except ControlError as error:
        raise ClusterError(str(error)) from error


def _on_descriptors(state: StateDir, place: str, argv: Sequence[str]) -> int:
    # held back until they can be passed on: the program may run, and we be interrupted, before `Call` returns
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    with Call(state, "start", {"place": place, "argv": list(argv)}, files=(0, 1, 2)) as call:
        for number in PASSED_ON:
            signal.signal(number, lambda caught, _: call.signal(caught))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
        code: int = call.result(None)["code"]
        return code


def _on_terminal(state: StateDir, place: str, argv: Sequence[str]) -> int:
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, _window())
    request = {"place": place, "argv": list(argv), "tty": True, "env": {"TERM": os.environ.get("TERM", "dumb")}}
    with Call(state, "start", request, files=(theirs, theirs, theirs)) as call, _raw(0):
        os.close(theirs)
        signal.signal(signal.SIGWINCH, lambda *_: fcntl.ioctl(ours, termios.TIOCSWINSZ, _window()))
        _copy(ours, until=call.fileno())
        code: int = call.result(None)["code"]
        return code


def _copy(terminal: int, until: int) -> None:
    """Between our terminal and the program's, until the program has ended and all it wrote is shown."""
    sources, ended = [0, terminal, until], False
    while True:
        ready, _, _ = select.select(sources, [], [], 0 if ended else None)
        if ended and terminal not in ready:
            return
        if until in ready:
            ended = True
            sources = [terminal]
        if terminal in ready:
            try:
                data = os.read(terminal, 1 << 16)
            except OSError:
                return
            if not data:
                return
            os.write(1, data)
        if 0 in ready:
            if data := os.read(0, 1 << 16):
                os.write(terminal, data)
            else:
                sources.remove(0)


def _window() -> bytes:
    rows_and_columns: bytes = fcntl.ioctl(1, termios.TIOCGWINSZ, b"\0" * struct.calcsize("4H"))
    return rows_and_columns


@contextmanager
def _raw(terminal: int) -> Iterator[None]:
    """Every key goes to the program, Ctrl-C too."""
    before: list[Any] = termios.tcgetattr(terminal)
    tty.setraw(terminal, termios.TCSADRAIN)  # what was typed ahead is not lost
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
