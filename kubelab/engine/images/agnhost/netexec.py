"""agnhost netexec: an HTTP and a UDP server that tell who they are."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from kubelab.engine.images.agnhost import udp
from kubelab.engine.images.agnhost.dial import dial, go_json
from kubelab.engine.images.agnhost.flags import Flags, duration, go_quote, log
from kubelab.engine.images.agnhost.shell import shell, upload
from kubelab.engine.images.http_server import Request, Response, Server

if TYPE_CHECKING:
    import ssl

Route = Callable[[Request], Response]


def main(args: Sequence[str]) -> int:
    """Serve until SIGTERM (then exit with 0 after ``--delay-shutdown`` seconds) or ``/exit``."""
    flags = Flags("netexec")
    flags.flag("http-port", 8080, "HTTP Listen Port")
    flags.flag("tls-cert-file", "", "File containing an x509 certificate for HTTPS")
    flags.flag("tls-private-key-file", "", "File containing an x509 private key matching --tls-cert-file")
    flags.flag("udp-port", 8081, "UDP Listen Port (-1: none)")
    flags.flag("sctp-port", -1, "SCTP Listen Port; only -1, none, here")
    flags.flag("http-override", "", "Always respond as if it were a GET with this path and parameters")
    flags.flag("udp-listen-addresses", "", "A comma separated list of addresses the UDP servers listen on")
    flags.flag("delay-shutdown", 0, "Number of seconds to delay shutdown when receiving SIGTERM")
    options = flags.read(args)
    if options.sctp_port != -1:
        log("kubelab's netexec has no SCTP: leave --sctp-port at -1")
        return 1
    return Netexec(options.http_override).run(options)


class Netexec:
    """The handlers and what they share."""

    def __init__(self, override: str = "") -> None:
        self._override = override
        self._terminating = False
        self._udp_ready = False
        self._server: Server | None = None
        self._routes: dict[str, Route] = {
            "/clientip": self._clientip,
            "/header": self._header,
            "/dial": dial,
            "/echo": self._echo,
            "/exit": self._exit,
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/hostname": self._hostname,
            "/redirect": self._redirect,
            "/shell": shell,
            "/upload": upload,
            "/hostName": self._hostname,
            "/shutdown": self._shutdown,
        }

    def run(self, options: object) -> int:
        """Listen and serve; returns only when it cannot."""
        get = vars(options).__getitem__
        delay: int = get("delay_shutdown")
        signal.signal(signal.SIGTERM, lambda *_: self._terminate(delay))
        try:
            for address in _addresses(get("udp_listen_addresses")) if get("udp_port") != -1 else ():
                udp.start(address, get("udp_port"))
                log(f"Started UDP server on port {address} {get('udp_port')}")
                self._udp_ready = True
            tls = _tls(get("tls_cert_file"), get("tls_private_key_file"))
            self._server = Server(get("http_port"), self.handle, tls)
        except (OSError, ValueError) as error:
            log(f"Error occurred: {error}")
            return 1
        log(f"Started HTTP server on port {self._server.port}")
        self._server.serve()
        while True:  # /exit is shutting down and ends the process
            signal.pause()

    def handle(self, request: Request) -> Response:
        """The answer to one request."""
        if self._override:
            parts = urlsplit(self._override)
            query = parse_qs(parts.query, keep_blank_values=True)
            request = Request("GET", self._override, {}, b"", request.remote, path=unquote(parts.path), query=query)
        return self._routes.get(request.path, self._root)(request)

    def _terminate(self, delay_seconds: int) -> None:
        if self._terminating:
            return
        self._terminating = True
        if delay_seconds <= 0:
            os._exit(0)
        log(f"Sleeping {delay_seconds} seconds before terminating...")
        threading.Thread(target=_end_later, args=(delay_seconds,), daemon=True).start()

    def _root(self, request: Request) -> Response:
        log("GET /")
        now = datetime.now().astimezone()
        nanoseconds = f"{time.time_ns() % 1_000_000_000:09d}".rstrip("0") or "0"
        return Response(f"NOW: {now:%Y-%m-%d %H:%M:%S}.{nanoseconds} {now:%z %Z} m=+{time.monotonic():.9f}".encode())

    def _clientip(self, request: Request) -> Response:
        log("GET /clientip")
        return Response(request.remote.encode())

    def _hostname(self, request: Request) -> Response:
        name = socket.gethostname()
        log(f"GET {request.path}", f"hostname: {name}")
        return Response(name.encode())

    def _header(self, request: Request) -> Response:
        key = request.value("key")
        log(f"GET /header?key={key}" if key else "GET /header")
        if key:
            return Response(request.header(key).encode("latin-1"))
        return Response(go_json(request.headers))

    def _echo(self, request: Request) -> Response:
        message, code = request.value("msg"), request.value("code")
        log(f"GET /echo?msg={message}&code={code}")
        try:
            return Response(message.encode(), int(code) if code else 200)
        except ValueError:
            return _not_a_number(code)

    def _redirect(self, request: Request) -> Response:
        location, code = request.value("location"), request.value("code")
        log(f"{request.method} /redirect?msg={location}&code={code}")
        try:
            status = int(code) if code else 302
        except ValueError:
            return _not_a_number(code)
        if not urlsplit(location).scheme and not location.startswith("/"):
            location = f"/{location}"
        names = {301: "Moved Permanently", 302: "Found", 303: "See Other", 307: "Temporary Redirect"}
        text = names.get(status, "Permanent Redirect" if status == 308 else "")
        body = f'<a href="{location}">{text}</a>.\n\n' if request.method in ("GET", "HEAD") else ""
        return Response(body.encode(), status, {"Location": location}, "text/html; charset=utf-8")

    def _healthz(self, request: Request) -> Response:
        log("GET /healthz")
        return Response(status=200 if self._udp_ready else 412)

    def _readyz(self, request: Request) -> Response:
        log("GET /readyz")
        if self._terminating:
            return Response(b"shutting down", 503)
        return Response(b"ok") if self._udp_ready else Response(status=412)

    def _shutdown(self, request: Request) -> Response:
        log("GET /shutdown")
        os._exit(0)

    def _exit(self, request: Request) -> Response:
        code, timeout, wait = (request.value(name) for name in ("code", "timeout", "wait"))
        log(f"GET /exit?code={code}&timeout={timeout}&wait={wait}")
        seconds = {}
        for name, text in (("timeout", timeout), ("wait", wait)):
            try:
                seconds[name] = duration(text) if text else 0.0
            except ValueError:
                message = f"argument '{name}' must be a valid golang duration or empty, got {go_quote(text)}\n"
                return Response(message.encode())
        if code and not code.lstrip("+-").isdigit():
            return Response(f"argument 'code' must be an integer [0-127] or empty, got {go_quote(code)}\n".encode())
        status = int(code or 0)
        log(
            f"Will begin shutdown in {seconds['wait']:g}s, allowing {seconds['timeout']:g}s for connections to close, "
            f"then will exit with {status}"
        )
        time.sleep(max(seconds["wait"], 0))
        if seconds["timeout"] == 0 or self._server is None:
            os._exit(status & 0xFF)
        threading.Thread(target=self._close, args=(seconds["timeout"], status), daemon=True).start()
        return Response()

    def _close(self, timeout_seconds: float, code: int) -> None:
        assert self._server is not None
        done = self._server.close(timeout_seconds)
        log(f"Graceful shutdown completed with: {'<nil>' if done else 'context deadline exceeded'}")
        os._exit(code & 0xFF)


def _end_later(seconds: int) -> None:
    time.sleep(seconds)
    os._exit(0)


def _not_a_number(code: str) -> Response:
    return Response(f"argument 'code' must be an integer or empty, got {go_quote(code)}\n".encode())


def _addresses(text: str) -> list[str]:
    return sorted(set(text.split(","))) if text else [""]


def _tls(certificate: str, key: str) -> ssl.SSLContext | None:
    if not certificate:
        return None
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key or None)
    return context
