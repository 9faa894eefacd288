"""The client that runs inside a pod: sends real requests and writes one JSON line for each.

This file is sent as text to a Python in the pod (3.8 or later), so it knows the standard library only and nothing of
kubelab. ``job`` is put into its globals: url, requests (or null: until told to stop), rate (requests a second, or null:
one after the other), timeout (seconds), keep_alive, until_told. Told to go on until it is stopped, it also stops at the
end of its standard input, so a notebook that goes away takes its client along.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
import threading
import time
import urllib.parse
from typing import Any

BODY_LIMIT = 65536


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


class Sender:
    """Sends the requests of one job; one connection for each, or one for each thread when connections are kept."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.url = urllib.parse.urlsplit(job["url"])
        self.timeout = job["timeout"]
        self.keep_alive = job["keep_alive"]
        self.kept = threading.local()
        self.writing = threading.Lock()
        self.began = time.monotonic()

    def connect(self) -> http.client.HTTPConnection:
        """A connection that is not open yet; the request opens it, name lookup included."""
        kind = http.client.HTTPSConnection if self.url.scheme == "https" else http.client.HTTPConnection
        return kind(self.url.hostname, self.url.port, timeout=self.timeout)

    def ask(self) -> dict[str, Any]:
        """Send one request and read the answer whole."""
        connection = getattr(self.kept, "connection", None) or self.connect()
        path = (self.url.path or "/") + ("?" + self.url.query if self.url.query else "")
        headers = {} if self.keep_alive else {"Connection": "close"}
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            body = response.read(BODY_LIMIT)
        except BaseException:
            connection.close()
            self.kept.connection = None
            raise
        if self.keep_alive:
            self.kept.connection = connection
        else:
            connection.close()
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


def listen_for_the_end(stop: threading.Event) -> None:
    """Set ``stop`` when standard input ends or says anything."""
    os.read(0, 1)
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
    if job.get("until_told"):
        threading.Thread(target=listen_for_the_end, args=(stop,), daemon=True).start()
    sender = Sender(job)
    sys.stdout.write('{"began": true}\n')
    sys.stdout.flush()
    if job["rate"]:
        at_a_rate(sender, job["requests"], job["rate"], stop)
    else:
        one_after_the_other(sender, job["requests"], stop)


run(job)  # type: ignore[name-defined]  # noqa: F821
