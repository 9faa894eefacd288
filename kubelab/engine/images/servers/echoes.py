"""Servers that tell who they are and what they were asked: http-echo, whoami, hello-app and the echo servers."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
import uuid
from collections.abc import Sequence

from kubelab.engine.images.http_server import Request, Response
from kubelab.engine.images.servers.pages import page
from kubelab.engine.images.servers.serving import STAND_IN, addresses, headers, options, port_of, say, serve, tag

PLAIN = "text/plain; charset=utf-8"


def http_echo(argv: Sequence[str]) -> int:
    """hashicorp/http-echo: one text for every path, from ``-text`` or ECHO_TEXT."""
    given = options(argv[1:], {"text": "", "listen": ":5678", "status-code": "200"})
    if given is None:
        return 2
    text = given["text"] or os.environ.get("ECHO_TEXT", "")
    if not text:
        sys.stderr.write("Missing -text option!\n")
        return 127

    def answer(request: Request) -> Response:
        if request.path == "/health":
            return Response(b'{"status":"ok"}\n', content_type=PLAIN)
        now = time.strftime("%Y/%m/%d %H:%M:%S")
        what = f"{request.method} {request.target} HTTP/1.1"
        sys.stdout.write(f'{now} {request.host} {request.remote} "{what}" {given["status-code"]} {len(text) + 1}\n')
        sys.stdout.flush()
        return Response(
            f"{text}\n".encode(), int(given["status-code"]), {"X-App-Name": f"http-echo ({STAND_IN})"}, PLAIN
        )

    return serve(port_of(given["listen"]), answer, began=f"[INFO] server is listening on {given['listen']}")


def whoami(argv: Sequence[str]) -> int:
    """traefik/whoami: host name, addresses and the request; ``/api`` the same as JSON, ``/health`` can be set."""
    defaults = {"port": os.environ.get("WHOAMI_PORT_NUMBER") or "80", "name": os.environ.get("WHOAMI_NAME", "")}
    given = options(argv[1:], defaults)
    if given is None:
        return 2
    health = [200]

    def answer(request: Request) -> Response:
        if request.path == "/health":
            if request.method == "POST":
                health[0] = int(request.body)
                return Response()
            return Response(status=health[0])
        if request.path == "/bench":
            return Response(b"1", content_type="text/plain")
        if request.path == "/api":
            return Response(_as_json(request, given["name"]), content_type="application/json")
        lines = [f"Name: {given['name']}"] if given["name"] else []
        lines += [f"Hostname: {socket.gethostname()}", *(f"IP: {each}" for each in addresses())]
        lines += [f"RemoteAddr: {request.remote}", f"{request.method} {request.target} HTTP/1.1\r"]
        lines += [f"Host: {request.host}\r", *(f"{name}: {value}\r" for name, value in headers(request)), "\r", ""]
        return Response("\n".join(lines).encode() + request.body, content_type=PLAIN)

    return serve(int(given["port"]), answer, began=f"Starting up on port {given['port']} ({STAND_IN})")


def _as_json(request: Request, name: str) -> bytes:
    told = {"hostname": socket.gethostname(), "ip": addresses(), "headers": request.headers, "url": request.target}
    told |= {"host": request.host, "method": request.method, "remoteAddr": request.remote}
    return json.dumps(told | ({"name": name} if name else {})).encode() + b"\n"


def hello_app(argv: Sequence[str]) -> int:
    """google-samples/hello-app: the version that its tag says, and the host name."""
    port = os.environ.get("PORT") or "8080"

    def answer(request: Request) -> Response:
        say(f"Serving request: {request.path}")
        text = f"Hello, world!\nVersion: {tag() or '1.0'}.0\nHostname: {socket.gethostname()}\n"
        return Response(text.encode(), content_type=PLAIN)

    return serve(int(port), answer, began=f"Server listening on port {port} ({STAND_IN})")


def echo_server(argv: Sequence[str]) -> int:
    """jmalloc/echo-server (minikube's kicbase/echo-server too): who served, and the request."""
    port = os.environ.get("PORT") or "8080"

    def answer(request: Request) -> Response:
        say(f"{request.remote} | {request.method} {request.target}")
        lines = [f"Request served by {socket.gethostname()}", "", f"HTTP/1.1 {request.method} {request.target}", ""]
        lines += [f"Host: {request.host}", *(f"{name}: {value}" for name, value in headers(request)), "", ""]
        return Response("\n".join(lines).encode() + request.body, content_type=PLAIN)

    return serve(int(port), answer, began=f"Echo server listening on port {port} ({STAND_IN})")


def echoserver(argv: Sequence[str]) -> int:
    """registry.k8s.io/echoserver: host, server and request in paragraphs."""

    def answer(request: Request) -> Response:
        path, _, query = request.target.partition("?")
        paragraphs = {
            "Hostname": [socket.gethostname()],
            "Pod Information": [
                f"{word}:\t{os.environ[name]}"
                for word, name in (("node name", "NODE_NAME"), ("pod name", "POD_NAME"), ("pod IP", "POD_IP"))
                if os.environ.get(name)
            ]
            or ["-no pod information available-"],
            "Server values": [f"server_version={STAND_IN}"],
            "Request Information": [
                f"client_address={request.remote.rpartition(':')[0]}",
                f"method={request.method}",
                f"real path={path}",
                f"query={query}",
                "request_version=1.1",
                "request_scheme=http",
                f"request_uri=http://{request.host}{request.target}",
            ],
            "Request Headers": [
                f"{name.lower()}={value}" for name, value in sorted([*headers(request), ("Host", request.host)])
            ],
            "Request Body": [request.body.decode(errors="replace") or "-no body in request-"],
        }
        text = f"\nHostname: {paragraphs.pop('Hostname')[0]}\n"
        for title, lines in paragraphs.items():
            text += f"\n{title}:\n" + "".join(f"\t{line}\n" for line in lines)
        return Response(text.encode(), content_type="text/plain")

    return serve(8080, answer, began=f"echoserver ({STAND_IN}) listens on port 8080")


def hello(argv: Sequence[str]) -> int:
    """nginxdemos/hello: server address and name, as text with the tag ``plain-text``, as a page without."""

    def answer(request: Request) -> Response:
        told = {
            "Server address": f"{addresses()[-1]}:80",
            "Server name": socket.gethostname(),
            "Date": time.strftime("%d/%b/%Y:%H:%M:%S %z"),
            "URI": request.target,
            "Request ID": uuid.uuid4().hex,
        }
        if "plain-text" in tag():
            return Response(
                "".join(f"{name}: {value}\n" for name, value in told.items()).encode(), content_type="text/plain"
            )
        rows = "".join(f"<p><b>{name}:</b> {value}</p>\n" for name, value in told.items())
        return Response(page("Hello", f"{rows}<p>{STAND_IN}</p>").encode(), content_type="text/html")

    return serve(80, answer, began=f"hello ({STAND_IN}) listens on port 80")
