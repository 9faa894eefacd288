"""The caller's own socket in the agent's hands, and what its addresses are said to be.

Where pidfd_getfd(2) is allowed, a socket is borrowed for the moment of a call. Where it is refused (Docker's default
seccomp profile), the agent makes every internet socket itself when a program asks for one, and keeps a copy: a
connecting TCP socket's until it connects (a copy would hold back the end of the connection), the others' until
nobody else has them.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType

from kubelab.engine.network.agent.interposed.kernel import get_fd
from kubelab.engine.network.agent.interposed.notify import Call, Unreachable

_MOST_SEEMINGS = 8192
_SWEEP_EVERY = 64
INTERNET = (socket.AF_INET, socket.AF_INET6)

End = tuple[str, int]
"""(ip, port) in the cluster's addresses."""


@dataclass
class Seeming:
    """What a socket's ends are said to be, where that is not what the kernel's addresses translate to."""

    local_ip: str = ""
    local_port: int | None = None
    peer: End | None = None
    family: int = 0
    """Set for a connection of which the agent has no copy, with both ends."""
    lost: bool = False
    """A successful ``connect`` whose answer did not reach the caller, because a signal had called it away."""


class Held:
    """A socket of a caller for the length of a ``with`` block."""

    def __init__(self, sock: socket.socket, inode: int, *, borrowed: bool) -> None:
        self.sock, self.inode, self._borrowed = sock, inode, borrowed

    def __enter__(self) -> Held:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._borrowed:
            self.sock.close()

    @property
    def proto(self) -> str:
        """``tcp``, ``udp``, or empty for a socket that is left to the kernel."""
        if self.sock.family not in INTERNET:
            return ""
        return {socket.SOCK_STREAM: "tcp", socket.SOCK_DGRAM: "udp"}.get(self.sock.type, "")

    @property
    def blocking(self) -> bool:
        """Whether the socket's calls wait."""
        return os.get_blocking(self.sock.fileno())


class Sockets:
    """All that the agent knows of the sockets of the programs it supervises."""

    def __init__(self, callers: Callable[[], Iterable[int]], *, lendable: bool) -> None:
        """``callers`` gives the threads whose sockets may be kept, ``lendable``: whether pidfd_getfd is allowed."""
        self._callers, self.lendable = callers, lendable
        self._kept: dict[int, socket.socket] = {}
        self._links: dict[int, str] = {}
        """For a kept server: where in /proc its descriptor was last seen."""
        self._new = 0
        self.seemings: OrderedDict[int, Seeming] = OrderedDict()

    def of(self, call: Call, fd: int) -> Held:
        """The socket behind a caller's descriptor. `Unreachable` when it is none, or not to be had."""
        if self.lendable:
            try:
                raw = get_fd(call.thread, fd)
            except OSError as error:
                raise Unreachable from error
            try:
                sock = socket.socket(fileno=raw)
            except OSError as error:
                os.close(raw)
                raise Unreachable from error
            return Held(sock, os.fstat(raw).st_ino, borrowed=True)
        inode = self.inode(call, fd)
        if inode not in self._kept:
            raise Unreachable
        return Held(self._kept[inode], inode, borrowed=False)

    def inode(self, call: Call, fd: int) -> int:
        """The number of the socket behind a caller's descriptor. `Unreachable` when it is none."""
        return _inode(_link(call.thread, fd))

    def find(self, inodes: Iterable[int]) -> Iterator[Held]:
        """Those of these sockets that a program still has, wherever; in one look at all programs."""
        wanted = set(inodes)
        yield from (Held(self._kept[inode], inode, borrowed=False) for inode in wanted & self._kept.keys())
        for thread in self._callers() if self.lendable else ():
            if not wanted:
                return
            for inode, link in _sockets_of(thread):
                held = _borrow(thread, link, inode) if inode in wanted else None
                if held is not None:
                    wanted.discard(inode)
                    yield held

    def seeming(self, inode: int) -> Seeming:
        """What is said of a socket, to be filled in."""
        found = self.seemings.get(inode)
        if found is None:
            found = self.seemings[inode] = Seeming()
            if len(self.seemings) > _MOST_SEEMINGS:
                self.seemings.popitem(last=False)
        return found

    def keep(self, sock: socket.socket) -> None:
        """Keep the agent's copy of a socket that a program is about to get."""
        self._new += 1
        if self._new >= _SWEEP_EVERY:
            self.sweep()
        self._kept[os.fstat(sock.fileno()).st_ino] = sock

    def serves(self, call: Call, fd: int, inode: int) -> None:
        """A kept socket was bound."""
        if inode in self._kept:
            self._links[inode] = _link(call.thread, fd)

    def let_go(self, inode: int) -> None:
        """Close the agent's copy."""
        self._links.pop(inode, None)
        sock = self._kept.pop(inode, None)
        if sock is not None:
            sock.close()

    def sweep(self) -> None:
        """Close the copies of sockets that no program has any more."""
        self._new = 0
        if not self._kept:
            return
        alive: dict[int, str] = {}
        for thread in self._callers():
            alive.update(_sockets_of(thread))
        for inode in self._kept.keys() - alive.keys():
            self.let_go(inode)
        self._links = {inode: alive[inode] for inode in self._links}

    def stale(self, ip: str, port: int) -> None:
        """Before a connection to a kernel address: close the agent's copy of a server there that has ended."""
        for inode, link in self._links.items():
            if _stands_at(self._kept[inode], ip, port):
                try:
                    gone = _inode(link) != inode
                except Unreachable:
                    gone = True
                if gone:
                    self.sweep()
                return

    def close(self) -> None:
        """Close every copy."""
        for inode in list(self._kept):
            self.let_go(inode)


def occupied(proto: str, ip: str, port: int) -> bool:
    """Whether a socket stands at this address of the kernel (a connection that ended does not count)."""
    kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as trial:
        if kind == socket.SOCK_STREAM:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((ip, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def _stands_at(sock: socket.socket, ip: str, port: int) -> bool:
    address = sock.getsockname()
    return address[1] == port and address[0].removeprefix("::ffff:") == ip


def _inode(link: str) -> int:
    try:
        kind, _, number = os.readlink(link).partition(":")
    except OSError as error:
        raise Unreachable from error
    if kind != "socket":
        raise Unreachable
    return int(number.strip("[]"))


def _borrow(thread: int, link: str, inode: int) -> Held | None:
    """The socket that was seen at a link in /proc; None when it has been closed meanwhile."""
    try:
        raw = get_fd(thread, int(link.rpartition("/")[2]))
    except OSError:
        return None
    if os.fstat(raw).st_ino != inode:  # the number is another file's by now
        os.close(raw)
        return None
    return Held(socket.socket(fileno=raw), inode, borrowed=True)


def _link(thread: int, fd: int | str) -> str:
    return f"/proc/{thread}/fd/{fd}"


def _sockets_of(thread: int) -> Iterator[tuple[int, str]]:
    """The sockets of a process, by number, with the link of each."""
    try:
        names = os.listdir(f"/proc/{thread}/fd")
    except OSError:  # the process has ended
        return
    for name in names:
        link = _link(thread, name)
        try:
            yield _inode(link), link
        except Unreachable:
            continue
