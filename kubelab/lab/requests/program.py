"""The client that runs outside the cluster or in a pod: requests by host name to an address, one JSON line for each.

Sent as text to a Python there (3.8 or later), so it knows the standard library only. ``job`` is put into its globals:
requests (each with address, port, tls, sni (or null), host (the Host header), target (path and query, sent as they
are), method, headers (pairs), body), times (how often all of them are sent), rate (requests a second, or null: one
after the other), keep (connections are kept for the next request to the same place), verify (a certificate that is not
trusted ends the request; else it goes on, and the verdict is told), ca (what is trusted, PEM), timeout (seconds).

Redirects are not followed, and answers are read whole.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import sys
import threading
import time
from typing import Any

BODY_LIMIT = 65536
AT_ONCE = 64
"""How many requests are under way at most."""


class NotTrusted(Exception):
    """The certificate that was served is not one for this client."""

    def __init__(self, verdict: dict[str, Any]) -> None:
        super().__init__()
        self.verdict = verdict


def error_kind(error: BaseException) -> str:
    """One word for what went wrong on the way."""
    if isinstance(error, socket.gaierror):
        return "DNS"
    if isinstance(error, NotTrusted):
        return "not trusted"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, (TimeoutError, socket.timeout)):
        return "timeout"
    if isinstance(error, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)):
        return "reset"
    if isinstance(error, ssl.SSLError):
        return "no TLS"
    if isinstance(error, OSError) and error.errno is not None:
        return "unreachable"
    return "bad answer"


class Sender:
    """Sends the requests of one job."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.writing = threading.Lock()
        self.resting: dict[Any, list[Any]] = {}
        """Kept connections, by where they lead."""
        self.began = time.monotonic()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request and read the answer. Raises OSError, HTTPException, NotTrusted."""
        connection, verdict = self.take(request)
        try:
            self.send(connection, request)
            response = connection.getresponse()
            body = response.read(BODY_LIMIT)
        except BaseException as error:
            connection.close()
            error.verdict = verdict  # type: ignore[attr-defined]
            raise
        self.give(request, connection, verdict, not response.isclosed() or bool(response.will_close))
        headers = {name.lower(): value for name, value in response.getheaders()}
        return {"code": response.status, "headers": headers, "body": body.decode("utf-8", "replace"), **verdict}

    def send(self, connection: http.client.HTTPConnection, request: dict[str, Any]) -> None:
        """Write a request as it is meant: no header is added but those that HTTP needs."""
        connection.putrequest(request["method"], request["target"], skip_host=True, skip_accept_encoding=True)
        given = [name.lower() for name, _ in request["headers"]]
        if "host" not in given:
            connection.putheader("Host", request["host"])
        body = request["body"].encode()
        if (body or request["method"] in ("POST", "PUT", "PATCH")) and "content-length" not in given:
            connection.putheader("Content-Length", str(len(body)))
        if not self.job["keep"]:
            connection.putheader("Connection", "close")
        for name, value in request["headers"]:
            connection.putheader(name, value)
        connection.endheaders(body or None)

    def take(self, request: dict[str, Any]) -> tuple[http.client.HTTPConnection, dict[str, Any]]:
        """An open connection, and what was said of the certificate that was served on it."""
        with self.writing:
            resting = self.resting.get(self.place(request))
            if resting:
                return resting.pop()
        connection = http.client.HTTPConnection(request["address"], request["port"], timeout=self.job["timeout"])
        connection.sock, verdict = self.connect(request)
        return connection, verdict

    def give(self, request: dict[str, Any], connection: Any, verdict: dict[str, Any], spent: bool) -> None:
        """Lay a connection to rest, or close it."""
        if not self.job["keep"] or spent:
            connection.close()
            return
        with self.writing:
            self.resting.setdefault(self.place(request), []).append((connection, verdict))

    def connect(self, request: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """A socket to where the request goes."""
        if not request["tls"]:
            return self.plain(request), {}
        try:
            return self.encrypted(request, self.trust(request)), {"verified": True}
        except ssl.SSLCertVerificationError as error:
            verdict = {"verified": False, "verdict": error.verify_code, "openssl": error.verify_message}
        if self.job["verify"]:
            raise NotTrusted(verdict)
        careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
        return self.encrypted(request, careless), verdict

    def plain(self, request: dict[str, Any]) -> socket.socket:
        """A TCP connection."""
        sock = socket.create_connection((request["address"], request["port"]), self.job["timeout"])
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def encrypted(self, request: dict[str, Any], context: ssl.SSLContext) -> ssl.SSLSocket:
        """A TLS connection, its handshake done."""
        sock = self.plain(request)
        try:
            return context.wrap_socket(sock, server_hostname=request["sni"])
        except BaseException:
            sock.close()
            raise

    def trust(self, request: dict[str, Any]) -> ssl.SSLContext:
        """The course CA and nobody else; without a name there is nothing to compare."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = request["sni"] is not None
        context.load_verify_locations(cadata=self.job["ca"])
        return context

    @staticmethod
    def place(request: dict[str, Any]) -> Any:
        """Where a request's connection leads."""
        return request["address"], request["port"], request["tls"], request["sni"]

    def report(self, number: int) -> None:
        """Send request ``number`` and write its line."""
        which = number % len(self.job["requests"])
        start = time.monotonic()
        try:
            result = self.ask(self.job["requests"][which])
        except NotTrusted as error:
            result = {"error": error_kind(error), **error.verdict}
        except (OSError, http.client.HTTPException) as error:
            result = {"error": error_kind(error), **getattr(error, "verdict", {})}
        line = {"n": number, "which": which, "at": start - self.began, "seconds": time.monotonic() - start, **result}
        with self.writing:
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()


def at_a_rate(sender: Sender, count: int, rate: float) -> None:
    """Requests start on the beat, even while earlier ones hang."""
    places = threading.Semaphore(AT_ONCE)

    def one(number: int) -> None:
        try:
            sender.report(number)
        finally:
            places.release()

    for number in range(count):
        time.sleep(max(0.0, sender.began + number / rate - time.monotonic()))
        places.acquire()
        threading.Thread(target=one, args=(number,), daemon=True).start()
    for _ in range(AT_ONCE):
        places.acquire()


def run(job: dict[str, Any]) -> None:
    """Do the whole job."""
    sender = Sender(job)
    count = job["times"] * len(job["requests"])
    if job["rate"]:
        at_a_rate(sender, count, job["rate"])
    else:
        for number in range(count):
            sender.report(number)


run(job)  # type: ignore[name-defined]  # noqa: F821
