"""Where the cluster's servers stand, and under which port when somebody else on the machine has theirs.

Loopback is shared with the machine: a stranger's server on all addresses (JupyterLab in a container, say) also answers
on ours. So only addresses where one of ours was bound are ever connected to, and a server whose port a stranger has
stands at another one.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

from kubelab.engine.network.agent.interposed import sockaddr
from kubelab.engine.network.agent.interposed.addresses import AddressPlan

_Key = tuple[str, str, int]
"""(proto, ip of the kernel, port of the kernel as `AddressPlan.outer_port` gives it)."""


class Stands:
    """Every address that was bound, by what it should be. Nothing tells when one is given up."""

    def __init__(self, plan: AddressPlan) -> None:
        self._plan = plan
        self._at: dict[_Key, int] = {}
        """→ the port it really has."""
        self._moved: dict[tuple[str, int], int] = {}
        """(ip, real port) → the port that a program asked for."""

    def bind(self, sock: socket.socket, ip: str, port: int, retry: Callable[[], None]) -> None:
        """Bind to an address of the kernel and a port of the program. Raises OSError.

        ``retry`` is called before the second attempt at an address that is in use.
        """
        proto = proto_of(sock)
        key = (proto, ip, self._plan.outer_port(port))
        known = self._at.get(key)
        wanted = known or key[2]
        try:
            _bind(sock, ip, wanted)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            retry()
            if known is None:
                wanted = self._bind_elsewhere(sock, ip, wanted)
                self._moved[ip, wanted] = port
            else:
                _bind(sock, ip, wanted)
        if not port:
            wanted = sock.getsockname()[1]
            key = (proto, ip, wanted)
        self._at[key] = wanted

    def where(self, proto: str, ip: str, port: int) -> int | None:
        """The real port of what stands at (or has left) an address; None when nothing was ever bound there."""
        return self._at.get((proto, ip, port))

    def inner_port(self, ip: str, port: int) -> int:
        """What a program is shown for a port of the kernel."""
        return self._moved.get((ip, port)) or self._plan.inner_port(port)

    def forget(self, *ips: str) -> None:
        """Nobody will be at these addresses again, unless bound anew."""
        self._at = {key: port for key, port in self._at.items() if key[1] not in ips}
        self._moved = {key: port for key, port in self._moved.items() if key[0] not in ips}

    @staticmethod
    def _bind_elsewhere(sock: socket.socket, ip: str, port: int) -> int:
        """None of ours has ever been there: if the port is still not free, a stranger has it."""
        try:
            _bind(sock, ip, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            _bind(sock, ip, 0)
        return int(sock.getsockname()[1])


def proto_of(sock: socket.socket) -> str:
    """``tcp`` or ``udp``."""
    return "tcp" if sock.type == socket.SOCK_STREAM else "udp"


def _bind(sock: socket.socket, ip: str, port: int) -> None:
    sock.bind(sockaddr.for_python(sock.family, ip, port))
