"""The UDP client that runs inside a pod: sends datagrams on a beat and writes one JSON line for each.

This file is sent as text to a Python in the pod (3.8 or later), so it knows the standard library only and nothing of
kubelab. ``job`` is put into its globals: host, port, clients (of ``"fixed"``: one socket, so one source port; and
``"fresh"``: a socket for every datagram), rate (datagrams a second, of each client), timeout (seconds to wait for an
answer). It stops when its standard input says anything, or ends.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import threading
import time
from typing import Any


class Client:
    """Sends numbered datagrams, and knows which of them wait for an answer."""

    def __init__(self, name: str, address: tuple[str, int]) -> None:
        self.name = name
        self.address = address
        self.sockets: dict[socket.socket, dict[int, float]] = {}
        """Each open socket, and when the datagrams that wait on it were sent."""

    def send(self, number: int) -> None:
        """Send one datagram, over the socket there is or over a new one."""
        if self.name == "fresh" or not self.sockets:
            end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            end.connect(self.address)
            end.setblocking(False)
            self.sockets[end] = {}
        end = list(self.sockets)[-1]
        self.sockets[end][number] = time.monotonic()
        try:
            end.send(str(number).encode())
        except OSError:
            # The kernel tells of an earlier datagram's ICMP error here, and has not sent this one.
            self.close(end, number, "refused")

    def hear(self, end: socket.socket) -> None:
        """Take in what has come to a socket: an answer, or an ICMP error."""
        try:
            answer = json.loads(end.recv(2048))
        except BlockingIOError:
            return
        except OSError as error:
            waiting = self.sockets[end]
            if waiting:
                kind = "refused" if isinstance(error, ConnectionRefusedError) else "unreachable"
                self.close(end, min(waiting), kind)
            return
        self.close(end, int(answer["said"]), "", answer)

    def expire(self, before: float) -> None:
        """Give up datagrams that were sent too long ago."""
        for end, waiting in list(self.sockets.items()):
            for number in [number for number, sent in waiting.items() if sent < before]:
                self.close(end, number, "silence")

    def close(self, end: socket.socket, number: int, error: str, answer: Any = None) -> None:
        """Write what became of a datagram; a socket of its own has done its part then."""
        sent = self.sockets[end].pop(number, None)
        if sent is None:
            return  # an answer that comes after its time
        told = {key: (answer or {}).get(key) for key in ("pod", "uid", "peer", "peer_port")}
        line = {"client": self.name, "at": sent - BEGAN, "seconds": time.monotonic() - sent, "error": error, **told}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        if self.name == "fresh":
            del self.sockets[end]
            end.close()


def listen(stop: threading.Event) -> None:
    """Until standard input says something, or ends."""
    os.read(0, 64)
    stop.set()


def run(job: dict[str, Any]) -> None:
    """Do the whole job."""
    stop = threading.Event()
    threading.Thread(target=listen, args=(stop,), daemon=True).start()
    address = socket.getaddrinfo(job["host"], job["port"], socket.AF_INET, socket.SOCK_DGRAM)[0][4]
    clients = [Client(name, (str(address[0]), int(address[1]))) for name in job["clients"]]
    sys.stdout.write('{"began": true}\n')
    sys.stdout.flush()
    number = 0
    while not stop.is_set():
        for client in clients:
            client.send(number)
        number += 1
        while (left := BEGAN + number / job["rate"] - time.monotonic()) > 0:
            owners = {end: client for client in clients for end in client.sockets}
            for end in select.select(list(owners), [], [], left)[0]:
                owners[end].hear(end)
        for client in clients:
            client.expire(time.monotonic() - job["timeout"])


BEGAN = time.monotonic()
run(job)  # type: ignore[name-defined]  # noqa: F821
