"""What the engine asks of a network, whatever carries the packets.

Three carriers keep this contract, chosen by trying (`kubelab.engine.network.tiers`):

``root``        network namespaces made as root; the kernel holds the rules
``user``        the same inside a user namespace, for a plain user; the kernel holds the rules
``interposed``  no namespaces (Binder): pods live on loopback addresses of their own, the agent answers for
                ``connect`` and ``bind`` by seccomp user notification, and picks every endpoint by evaluating
                the very rules that the other two load

Nodes, pods and the outside are *places*; a program runs in a place, a socket belongs to a place.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from kubelab.engine.config import NodeSpec

Tier = Literal["root", "user", "interposed"]


class Place(NamedTuple):
    """Where a program runs or a socket stands."""

    kind: Literal["node", "pod", "outside"]
    name: str = ""
    """The node's name, the pod's UID; empty for the one outside (172.18.0.1, the nodes' gateway)."""

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}" if self.name else self.kind


OUTSIDE = Place("outside")


def node(name: str) -> Place:
    """The network of a node."""
    return Place("node", name)


def pod(uid: str) -> Place:
    """The network of a pod."""
    return Place("pod", uid)


@dataclass(frozen=True)
class Mount:
    """A host directory or file, seen by the program at ``target``."""

    source: str
    target: str
    read_only: bool = True
    own: bool = False
    """Whether ``source`` is a path as the program itself sees it, where that is not the host's."""


@dataclass(frozen=True)
class Program:
    """A process to start.

    ``argv`` is looked up on ``env['PATH']``. With ``entry`` (``"package.module:function"``, standard library
    only) nothing is executed: the process is forked from the agent and calls ``function(argv)``, whose return
    value is the exit code; ``argv`` still is what ``ps`` shows.

    ``files`` are laid over the place's file system before the mounts (``/etc/resolv.conf``, ``/etc/hosts``,
    ``/etc/hostname``): path → content. With ``join`` (a running process of the same place) the program enters
    that process's mount, PID and UTS namespaces instead of making its own: that is ``kubectl exec``.
    A program in a pod that does not join becomes process 1 of its own PID namespace; one in a node or outside
    shares the machine's file system.
    """

    argv: Sequence[str]
    env: dict[str, str] = field(default_factory=dict)
    cwd: str = "/"
    entry: str | None = None
    hostname: str | None = None
    files: dict[str, str] = field(default_factory=dict)
    mounts: Sequence[Mount] = ()
    join: int | None = None
    tty: bool = False
    """Whether stdin, stdout and stderr are one terminal that becomes the controlling one."""


class StartFailed(Exception):
    """The program could not be started. ``code`` follows the shell: 127 not found, 126 not executable, 128 else."""

    def __init__(self, message: str, code: int = 128) -> None:
        super().__init__(message)
        self.code = code


class Process(Protocol):
    """A started program."""

    id: int
    """What `Program.join` and the agent call it: the process's pid as the agent sees it."""

    async def wait(self) -> int:
        """Wait for its end. The exit code, 128 + the signal's number when a signal ended it.

        May be awaited more than once and by several tasks.
        """
        ...

    async def signal(self, number: int) -> None:
        """Send a signal to process 1 of the pod (SIGKILL takes the whole PID namespace); quiet when it has ended."""
        ...


class Finished(NamedTuple):
    """A program that was run to its end. 127 when it does not exist, 124 when it was stopped by its time limit."""

    code: int
    stdout: bytes
    stderr: bytes


class NetworkLost(Exception):
    """The agent has died, and with it every namespace and process. The engine starts a new one."""


class Network(Protocol):
    """Places, programs, sockets. All methods raise `NetworkLost` after the agent's death."""

    tier: Tier

    async def add_node(self, spec: NodeSpec) -> None:
        """Make a node: its address, routes to the other nodes' pod ranges, a default route to the outside."""
        ...

    async def add_pod(self, uid: str, node: str, ip: str) -> None:
        """Make a pod's network on a node (ptp: a /32 route to it), up when this returns."""
        ...

    async def remove_pod(self, uid: str) -> None:
        """Kill what still runs in it, and take its network away; quiet when it is gone already."""
        ...

    async def start(
        self, place: Place, program: Program, *, stdin: int | None, stdout: int | None, stderr: int | None
    ) -> Process:
        """Start a program with these file descriptors (``None``: /dev/null). The caller keeps and closes its own.

        Raises `StartFailed`.
        """
        ...

    async def run(
        self, place: Place, argv: Sequence[str], *, stdin: bytes = b"", timeout_seconds: float = 30
    ) -> Finished:
        """Run a tool in a node, in a pod's network or outside, to its end.

        On the interposed tier ``iptables-restore``, ``iptables-save`` and ``iptables -t … -S`` in a node work on the
        evaluated rule set.
        """
        ...

    async def listen(self, place: Place, ip: str, port: int, *, udp: bool = False) -> socket.socket:
        """A bound socket (listening when TCP, non-blocking) that stands in a place."""
        ...

    async def connect(self, place: Place, ip: str, port: int, *, timeout_seconds: float = 5) -> socket.socket:
        """A TCP connection (non-blocking socket) from a place. Raises OSError as ``connect`` would."""
        ...

    async def balance(self, addresses: Mapping[str, Sequence[str]]) -> None:
        """Tell the outside which nodes (names) each of these addresses of no place leads to.

        A new connection from the outside is given to one of them, all alike; an open TCP connection stays with its
        node whatever is said later. Nobody answers for an address without nodes. Replaces what was said before.
        """
        ...

    async def lost(self) -> None:
        """Returns when the agent has died."""
        ...

    async def close(self) -> None:
        """End every program and take every namespace away."""
        ...
