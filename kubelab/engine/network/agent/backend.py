"""What the agent asks of a carrier: namespaces of the kernel, or system calls answered by the agent itself.

The server (`server.py`) speaks with the engine, forks and reaps; a `Backend` knows places. Everything runs in one
thread and must return at once: what has to wait registers a descriptor with the `Loop`.
"""

from __future__ import annotations

import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kubelab.engine.config import NodeSpec
from kubelab.engine.network.agent.messages import Message
from kubelab.engine.network.contract import Place, Program


class Loop(Protocol):
    """The agent's event loop, as a backend sees it."""

    def watch(self, fd: int, ready: Callable[[], None]) -> None:
        """Call ``ready`` whenever ``fd`` is readable or hung up, until `unwatch`."""
        ...

    def unwatch(self, fd: int) -> None:
        """Stop watching; do it before closing the descriptor."""
        ...


@dataclass(frozen=True)
class Settings:
    """What the engine tells an agent at its start."""

    tier: str
    state: Path
    """A private, writable directory that the engine made for the agent and removes after it."""


class TierUnusable(Exception):
    """This tier does not work on this machine: why, in one clause, and what would lift it."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


class Birth:
    """How one program gets into its place.

    The server calls `fork` in the agent, then in the child `enter` (with standard input, output and error already
    in place, in a session of its own), changes to the working directory, calls `seal`, and executes. An exception in
    the child becomes `StartFailed` for the engine. This class as it stands starts a program where the agent is.
    """

    def fork(self) -> int:
        """Fork; zero in the child. Runs in the agent."""
        return os.fork()

    def enter(self, report: socket.socket) -> None:
        """In the child: go to the place. ``report`` leads to `message`; no other descriptor above 2 may be kept."""

    def adapt(self, program: Program) -> Program:
        """In the child, after `enter`: the program as it is to be started, where paths are not what they seem."""
        return program

    def seal(self, report: socket.socket) -> None:
        """In the child, the last thing before the program: for what would hinder the steps before."""

    def message(self, message: Message, fds: list[int]) -> None:
        """In the agent: what the child sent over ``report`` (`messages.send`). ``fds`` are this method's to close."""

    def done(self) -> None:
        """In the agent, once, when the program runs or has failed to start: close what was opened for the child."""


class Backend(ABC):
    """A carrier of packets. Methods raise OSError for what the system refuses, KeyError for an unknown place."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.notes: list[str] = []
        """What this machine does not allow and what that costs, one sentence each."""

    @abstractmethod
    def isolate(self) -> None:
        """Before anything else, single-threaded: become process 1 of a PID namespace, a subreaper, ….

        May fork; the process that returns is the agent. Raises `TierUnusable`.
        """

    @abstractmethod
    def begin(self, loop: Loop) -> None:
        """Try out that this tier works here, and make the outside place. The loop runs after this returns.

        Raises `TierUnusable`.
        """

    def end(self) -> None:  # noqa: B027  (nothing to do where the PID namespace dies with its process 1)
        """The engine is gone: leave nothing behind. The agent's process ends after this."""

    @abstractmethod
    def add_node(self, spec: NodeSpec) -> None:
        """As `Network.add_node`."""

    @abstractmethod
    def add_pod(self, uid: str, node: str, ip: str) -> None:
        """As `Network.add_pod`."""

    @abstractmethod
    def remove_pod(self, uid: str) -> None:
        """Take the pod's network away; quiet when unknown. The server has sent SIGKILL to its programs before."""

    def balance(self, addresses: dict[str, list[str]]) -> str:
        """As `Network.balance`. Text for ``iptables-restore`` outside, where rules carry it out; else empty."""
        return ""

    @abstractmethod
    def birth(self, place: Place, program: Program) -> Birth:
        """How this program will get into this place."""

    @abstractmethod
    def tool_birth(self, place: Place) -> Birth:
        """How a tool of the machine (`Network.run`) gets into a place: its network only, the machine's files."""

    def tool_env(self, place: Place) -> dict[str, str]:
        """The environment of a tool of the machine."""
        return {"PATH": TOOL_PATH, "LANG": "C.UTF-8", "HOME": "/"}

    def answer_tool(self, place: Place, argv: Sequence[str], stdin: int, stdout: int, stderr: int) -> int | None:
        """Answer a tool without starting it: its exit code. None: start the machine's.

        The descriptors are ordinary files, ``stdin`` read from its start.
        """
        return None

    @abstractmethod
    def listen(self, place: Place, ip: str, port: int, udp: bool) -> socket.socket:
        """A non-blocking socket, bound (and listening when TCP). The server passes a copy on and closes it."""

    @abstractmethod
    def dial(self, place: Place, ip: str, port: int) -> tuple[socket.socket, tuple[str, int]]:
        """A non-blocking TCP socket that stands in the place, and the address that the engine connects it to.

        Raises OSError when the place's rules or routes refuse, with the errno that ``connect`` would give.
        """

    def may_signal(self, pid: int, number: int) -> bool:
        """Whether the engine's signal reaches a program: a PID namespace shields its process 1 by itself."""
        return True

    def forget(self, pid: int) -> None:  # noqa: B027  (only some backends keep something for a process)
        """A program that was started by `birth` has ended and been reaped."""


TOOL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
