"""Programs that are started under supervision."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace

from kubelab.engine.network.agent.backend import Birth
from kubelab.engine.network.agent.interposed import abi, filter, kernel
from kubelab.engine.network.agent.interposed.confinement import confine
from kubelab.engine.network.agent.interposed.places import Context
from kubelab.engine.network.agent.messages import Message
from kubelab.engine.network.contract import Program

_SHELLS = ("sh", "bash", "dash", "ash")
_COMMAND_PATH = re.compile(r"((?:^|[;&|(\n]|\b(?:cd|exec|then|do|else)\s)\s*)(/[\w./+-]+)")
"""A path where a shell expects a command, or after ``cd`` or ``exec``."""


class SupervisedBirth(Birth):
    """The program installs the filter on itself just before it starts, and hands its listener to the agent."""

    def __init__(
        self,
        context: Context,
        supervise: Callable[[int, Context], None],
        running: dict[int, Context],
        *,
        make_sockets: bool,
        own: Sequence[str] | None,
    ) -> None:
        """``running`` is where the process is entered. ``make_sockets``: whether the agent makes the sockets.

        ``own``: the only directories that may be written to, None where the machine's users and modes decide.
        """
        self._context, self._supervise, self._running = context, supervise, running
        self._filter = filter.program(sockets=make_sockets)
        self._own = own

    def fork(self) -> int:
        pid = os.fork()
        if pid:
            self._running[pid] = self._context
            self._context.starts(pid)
        return pid

    def adapt(self, program: Program) -> Program:
        """The same program with the paths that the kernel resolves without asking: executable and directory."""
        argv = list(program.argv)
        argv[0] = self._resolved(argv[0])
        if argv[0].rpartition("/")[2] in _SHELLS:
            argv[1:] = [self._resolved_within(argument) for argument in argv[1:]]
        return replace(program, argv=argv, cwd=self._resolved(program.cwd))

    def enter(self, report: socket.socket) -> None:
        kernel.prctl(abi.PR_SET_PDEATHSIG, signal.SIGKILL)
        if self._own is not None:
            kernel.prctl(abi.PR_SET_NO_NEW_PRIVS, 1)
            confine(self._own)

    def seal(self, report: socket.socket) -> None:
        listener = kernel.install_filter(self._filter)
        kernel.send_handover(report, listener)
        os.close(listener)

    def message(self, message: Message, fds: list[int]) -> None:
        for listener in fds:
            self._supervise(listener, self._context)

    def _resolved(self, path: str) -> str:
        found = self._context.redirect(path)
        return found[0] if found else path

    def _resolved_within(self, text: str) -> str:
        """In a shell's commands: ``cd /app`` and ``/app/run`` are calls that cannot be answered."""
        return _COMMAND_PATH.sub(lambda found: found[1] + self._resolved(found[2]), text)
