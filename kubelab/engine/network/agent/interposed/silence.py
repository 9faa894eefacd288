"""Addresses at which nobody answers: what a dropped packet meets."""

from __future__ import annotations

import socket


class Silence:
    """A TCP listener whose backlog is full, a UDP socket that nobody reads: the kernel drops what comes."""

    def __init__(self, ip: str) -> None:
        """``ip`` is an address of the kernel that nothing else uses."""
        self._ip = ip
        self._sockets: list[socket.socket] = []
        self._addresses: dict[str, tuple[str, int]] = {}

    def address(self, proto: str) -> tuple[str, int]:
        """Where to connect to, for ``tcp`` or ``udp``."""
        if proto not in self._addresses:
            self._addresses[proto] = self._tcp() if proto == "tcp" else self._udp()
        return self._addresses[proto]

    def close(self) -> None:
        """Take the addresses away."""
        for sock in self._sockets:
            sock.close()

    def _udp(self) -> tuple[str, int]:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sockets.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
        sock.bind((self._ip, 0))
        return self._ip, int(sock.getsockname()[1])

    def _tcp(self) -> tuple[str, int]:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._sockets.append(listener)
        listener.bind((self._ip, 0))
        listener.listen(0)
        address = self._ip, int(listener.getsockname()[1])
        for _ in range(2):  # listen(2): a backlog of n holds n + 1 connections; the second stays half open
            filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._sockets.append(filler)
            filler.setblocking(False)
            filler.connect_ex(address)
        return address
