"""The customer of task 5.2: sends RATE requests a second to TARGET (host:port) over kept connections, whatever comes.

CONNECTIONS              how many are kept at most to each address; the requests take turns over them
REQUESTS_PER_CONNECTION  so many requests, and a connection is closed and opened anew; 0: it is never closed
TAKE_TURNS               "yes": every request goes to the next of all the addresses that the name has;
                         "no": all of them to the first, as most programs do

Once a second it asks for the name's addresses again, and writes one JSON line: how many requests it sent, how many were
answered, and what the others met. It knows no more of Kubernetes than any other program does.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sys
import threading
import time
from collections import Counter

TARGET = os.environ["TARGET"]
HOST, _, PORT = TARGET.rpartition(":")
RATE = float(os.environ["RATE"])
CONNECTIONS = int(os.environ["CONNECTIONS"])
REQUESTS_PER_CONNECTION = int(os.environ.get("REQUESTS_PER_CONNECTION", "0"))
TAKE_TURNS = os.environ.get("TAKE_TURNS", "no") == "yes"
TIMEOUT_SECONDS = 2.0
REPORT_SECONDS = 1.0


class Addresses:
    """The addresses behind the name, asked for again every second."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known: list[str] = []
        self.good_until = 0.0

    def of(self, number: int) -> str:
        """Where request ``number`` goes."""
        with self.lock:
            if time.monotonic() >= self.good_until:
                found = socket.getaddrinfo(HOST, int(PORT), type=socket.SOCK_STREAM)
                self.known = sorted({str(entry[4][0]) for entry in found})
                self.good_until = time.monotonic() + 1
            return self.known[number % len(self.known) if TAKE_TURNS else 0]


class Worker:
    """Sends every CONNECTIONS-th request, over one connection of its own to each address."""

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses
        self.kept: dict[str, http.client.HTTPConnection] = {}
        self.used: Counter[str] = Counter()

    def ask(self, number: int) -> str:
        """Send request ``number``; "answered", or what came instead."""
        address = ""
        try:
            address = self.addresses.of(number)
            if address not in self.kept:
                self.kept[address] = http.client.HTTPConnection(address, int(PORT), timeout=TIMEOUT_SECONDS)
            connection = self.kept[address]
            connection.request("GET", "/", headers={"Host": TARGET})
            connection.getresponse().read()
        except socket.gaierror:
            return "DNS"
        except (OSError, http.client.HTTPException) as error:
            self.close(address)
            return type(error).__name__
        self.used[address] += 1
        if self.used[address] == REQUESTS_PER_CONNECTION:
            self.close(address)
        return "answered"

    def close(self, address: str) -> None:
        """The next request to this address opens a new connection."""
        self.kept.pop(address).close()
        self.used[address] = 0


def work(first: int, began: float, addresses: Addresses, outcomes: Counter[str], writing: threading.Lock) -> None:
    """Send requests ``first``, ``first`` + CONNECTIONS … each when its time has come."""
    worker, number = Worker(addresses), first
    while True:
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))
        outcome = worker.ask(number)
        with writing:
            outcomes[outcome] += 1
        number += CONNECTIONS


def main() -> None:
    """Work until SIGTERM, and report."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    addresses, outcomes, writing = Addresses(), Counter[str](), threading.Lock()
    began = time.monotonic()
    for first in range(CONNECTIONS):
        threading.Thread(target=work, args=(first, began, addresses, outcomes, writing), daemon=True).start()
    while True:
        time.sleep(REPORT_SECONDS)
        with writing:
            line = {"sent": outcomes.total(), **outcomes}
            outcomes.clear()
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
