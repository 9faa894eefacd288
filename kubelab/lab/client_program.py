"""The client that runs inside a pod: sends real requests and writes one JSON line for each.

This file is sent as text to a Python in the pod (3.8 or later), so it knows the standard library only and nothing of
kubelab. ``job`` is put into its globals: url, requests (or null: until told to stop), rate (requests a second, or null:
one after the other), timeout (seconds), connections (how many are kept, or null: a new one for each request), spread
(requests take turns over all the addresses that the name has), until_told. Told to go on until it is stopped, it gives
its connections up when it reads a line "reconnect" and stops at any other, or at the end of its standard input, so a
notebook that goes away takes its client along.
"""

from __future__ import annotations

import http.client
import json
import os
import queue
import socket
import sys
import threading
import time
import urllib.parse
from typing import Any

BODY_LIMIT = 65536
LOOK_UP_SECONDS = 1.0
"""How often a client that spreads its requests asks for the addresses again."""


def error_kind(error: BaseException) -> str:
    """One word for what went wrong on the way."""
    if isinstance(error, socket.gaierror):
        return "DNS"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, (TimeoutError, socket.timeout)):
        return "timeout"
    if isinstance(error, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)):
        return "reset"
    if isinstance(error, OSError) and error.errno is not None:
        return "unreachable"
    return "bad answer"


def who(body: bytes) -> dict[str, Any]:
    """The pod that answered, as far as the body says: JSON with pod and uid, or a bare host name."""
    try:
        answer = json.loads(body)
    except ValueError:
        text = body.decode("utf-8", "replace").strip()
        return {"pod": text} if text and len(text) <= 253 and text.replace("-", "").replace(".", "").isalnum() else {}
    if not isinstance(answer, dict):
        return {}
    named = {"pod": answer.get("pod") or answer.get("podName") or answer.get("hostname")}
    return {**named, **{key: answer.get(key) for key in ("uid", "host", "peer", "peer_port")}}


class Pool:
    """A fixed number of kept connections. The one that has rested longest is next, so all get the same number of
    requests, one after the other or at a rate."""

    def __init__(self, size: int, connect: Any) -> None:
        self.resting: queue.Queue[Any] = queue.Queue()
        self.generation = 0
        for _ in range(size):
            self.resting.put((connect(), 0))

    def take(self) -> Any:
        """The next connection and its generation; waits while all of them are busy."""
        connection, generation = self.resting.get()
        if generation < self.generation:
            connection.close()
        return connection, self.generation

    def give(self, taken: Any) -> None:
        """Lay a connection to rest."""
        self.resting.put(taken)

    def reconnect(self) -> None:
        """Begin a new generation: every connection is closed before its next use."""
        self.generation += 1


class Fresh:
    """A new connection for each request."""

    def __init__(self, connect: Any) -> None:
        self.connect = connect

    def take(self) -> Any:
        """A connection."""
        return self.connect(), None

    def give(self, taken: Any) -> None:
        """It has served."""
        taken[0].close()

    def reconnect(self) -> None:
        """Nothing is kept."""


class Spread:
    """Client-side balancing: asks the name for all its addresses once a second; requests take turns over them, and the
    connections to each address are kept."""

    def __init__(self, host: str, port: int | None, connect: Any) -> None:
        self.host, self.port, self.connect = host, port, connect
        self.resting: dict[str, list[Any]] = {}
        self.addresses: list[str] = []
        self.look_up_at = 0.0
        self.turn = 0
        self.lock = threading.Lock()

    def take(self) -> Any:
        """A connection to the address whose turn it is, and that address."""
        with self.lock:
            if time.monotonic() >= self.look_up_at:
                found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
                self.addresses = sorted({str(entry[4][0]) for entry in found})
                self.look_up_at = time.monotonic() + LOOK_UP_SECONDS
            address = self.addresses[self.turn % len(self.addresses)]
            self.turn += 1
            resting = self.resting.setdefault(address, [])
            return resting.pop() if resting else self.connect(address), address

    def give(self, taken: Any) -> None:
        """Lay a connection to rest."""
        connection, address = taken
        with self.lock:
            self.resting[address].append(connection)

    def reconnect(self) -> None:
        """Close the connections that rest."""
        with self.lock:
            while any(self.resting.values()):
                for resting in filter(None, self.resting.values()):
                    resting.pop().close()


class Sender:
    """Sends the requests of one job, over the connections that the job asks for."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.url = urllib.parse.urlsplit(job["url"])
        self.timeout = job["timeout"]
        self.headers = {}
        self.connections: Any
        if job["spread"]:
            self.connections = Spread(self.url.hostname or "", self.url.port, self.connect)
            self.headers["Host"] = self.url.netloc
        elif job["connections"]:
            self.connections = Pool(job["connections"], self.connect)
        else:
            self.connections = Fresh(self.connect)
            self.headers["Connection"] = "close"
        self.writing = threading.Lock()
        self.began = time.monotonic()

    def connect(self, host: str | None = None) -> http.client.HTTPConnection:
        """A connection that is not open yet; the request opens it, name lookup included."""
        kind = http.client.HTTPSConnection if self.url.scheme == "https" else http.client.HTTPConnection
        return kind(host or self.url.hostname, self.url.port, timeout=self.timeout)

    def ask(self) -> dict[str, Any]:
        """Send one request and read the answer whole."""
        taken = self.connections.take()
        connection = taken[0]
        path = (self.url.path or "/") + ("?" + self.url.query if self.url.query else "")
        try:
            connection.request("GET", path, headers=self.headers)
            response = connection.getresponse()
            body = response.read(BODY_LIMIT)
        except BaseException:
            connection.close()
            raise
        finally:
            self.connections.give(taken)
        return {"code": response.status, **who(body)}

    def report(self, number: int) -> None:
        """Send request ``number`` and write its line."""
        start = time.monotonic()
        try:
            result = self.ask()
        except (OSError, http.client.HTTPException) as error:
            result = {"error": error_kind(error)}
        line = json.dumps({"n": number, "at": start - self.began, "seconds": time.monotonic() - start, **result})
        with self.writing:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


def listen(stop: threading.Event, sender: Sender) -> None:
    """Do what standard input says, until it ends or says something else than to reconnect."""
    while (said := os.read(0, 64)) and not said.replace(b"reconnect\n", b""):
        sender.connections.reconnect()
    stop.set()


def one_after_the_other(sender: Sender, count: int, stop: threading.Event) -> None:
    """Each request waits for the one before."""
    for number in range(count):
        if stop.is_set():
            return
        sender.report(number)


def at_a_rate(sender: Sender, count: int | None, rate: float, stop: threading.Event) -> None:
    """Requests start on the beat, even while earlier ones hang; at most 64 at once."""
    places = threading.Semaphore(64)

    def one(number: int) -> None:
        try:
            sender.report(number)
        finally:
            places.release()

    number = 0
    while not stop.is_set() and (count is None or number < count):
        places.acquire()
        threading.Thread(target=one, args=(number,), daemon=True).start()
        number += 1
        stop.wait(max(0.0, sender.began + number / rate - time.monotonic()))
    for _ in range(64):
        places.acquire(timeout=sender.timeout)


def run(job: dict[str, Any]) -> None:
    """Do the whole job."""
    stop = threading.Event()
    sender = Sender(job)
    if job.get("until_told"):
        threading.Thread(target=listen, args=(stop, sender), daemon=True).start()
    sys.stdout.write('{"began": true}\n')
    sys.stdout.flush()
    if job["rate"]:
        at_a_rate(sender, job["requests"], job["rate"], stop)
    else:
        one_after_the_other(sender, job["requests"], stop)


run(job)  # type: ignore[name-defined]  # noqa: F821
