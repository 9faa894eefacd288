"""Which processes belong to a program, and what becomes of them: there is no PID namespace to ask."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import NamedTuple

from kubelab.engine.network.agent.interposed.places import Context

_ROUNDS = 50
_TICKS = os.sysconf("SC_CLK_TCK")


class _Entry(NamedTuple):
    parent: int
    session: int
    state: str
    started: float
    """Seconds of CLOCK_BOOTTIME."""


def members(context: Context) -> set[int]:
    """The live processes of a program: its sessions, whoever was seen calling, and the children of all these.

    Only descendants of the agent count, and no process that began after its number was last seen here: the kernel has
    given it away again.
    """
    table = _table()
    children: dict[int, list[int]] = {}
    for pid, entry in table.items():
        children.setdefault(entry.parent, []).append(pid)
    ours = _below(os.getpid(), children)
    seen = context.threads
    roots = {
        pid
        for pid in ours
        if table[pid].session in context.programs or (pid in seen and table[pid].started <= seen[pid])
    }
    found: set[int] = set()
    for root in roots:
        found |= {root} | _below(root, children)
    return {pid for pid in found if table[pid].state not in "ZX"}


def end(context: Context) -> None:
    """SIGKILL for all of them, again until none is born any more."""
    for _ in range(_ROUNDS):
        alive = members(context)
        if not alive:
            return
        for pid in alive:
            _kill(pid)


def end_descendants() -> None:
    """SIGKILL for everything below this process (a subreaper), and wait for it."""
    while True:
        children: dict[int, list[int]] = {}
        for pid, entry in _table().items():
            children.setdefault(entry.parent, []).append(pid)
        for pid in _below(os.getpid(), children):
            _kill(pid)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def caught(pid: int, number: int) -> bool:
    """Whether a process has asked for a signal: by a handler, or by blocking it, to fetch it with sigwait(3).

    A thread that waits for it does not show it as blocked (SigCgt and SigBlk of proc_pid_status(5)): the others do.
    """
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except FileNotFoundError:
        return False
    return any(_asks_for(f"/proc/{pid}/task/{thread}/status", number) for thread in threads)


def _asks_for(status: str, number: int) -> bool:
    try:
        with open(status, "rb") as lines:
            masks = [int(line[7:], 16) for line in lines if line.startswith((b"SigCgt:", b"SigBlk:"))]
    except (FileNotFoundError, ProcessLookupError):  # a thread that has just ended
        return False
    return any(mask >> (number - 1) & 1 for mask in masks)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _table() -> dict[int, _Entry]:
    table = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as stat:
                fields = stat.read().rpartition(b")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        table[int(name)] = _Entry(int(fields[1]), int(fields[3]), fields[0].decode(), int(fields[19]) / _TICKS)
    return table


def _below(pid: int, children: dict[int, list[int]]) -> set[int]:
    found: set[int] = set()
    waiting = list(children.get(pid, ()))
    while waiting:
        child = waiting.pop()
        if child not in found:
            found.add(child)
            waiting += children.get(child, ())
    return found
