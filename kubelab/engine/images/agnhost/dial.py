"""netexec's ``/dial``: ask another server, several times, and tell what came back."""

from __future__ import annotations

import json
import os
import socket
from typing import Any
from urllib.parse import urljoin, urlsplit

from kubelab.engine.images.agnhost.flags import log
from kubelab.engine.images.http_server import Request, Response

TIMEOUT_SECONDS = 5.0
MOST_REDIRECTS = 10


def go_json(value: Any) -> bytes:
    """JSON with the spacing, order and escapes of Go's encoder."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").encode()


def dial(request: Request) -> Response:
    """Answer ``/dial?host=…&port=…&request=…&protocol=http|udp&tries=N``."""
    host, port, what, protocol, tries = (
        request.query.get(name, [""])[0] for name in ("host", "port", "request", "protocol", "tries")
    )
    log(f"GET /dial?host={host}&protocol={protocol}&port={port}&request={what}&tries={tries}")
    if tries and not tries.lstrip("+-").isdigit():
        return _bad(f'tries parameter is invalid. strconv.Atoi: parsing "{tries}": invalid syntax')
    if not what:
        return _bad("request parameter not specified. <nil>")
    if protocol.lower() not in ("", "http", "udp"):
        return _bad(f"unsupported protocol. {protocol}")
    kind = socket.SOCK_DGRAM if protocol.lower() == "udp" else socket.SOCK_STREAM
    try:
        address = socket.getaddrinfo(host, int(port), socket.AF_INET, kind)[0][4]
    except (OSError, ValueError) as error:
        return _bad(f"host and/or port param are invalid. {error}")
    return Response(go_json(_try(kind, what, (str(address[0]), int(address[1])), int(tries or 1))))


def _try(kind: socket.SocketKind, what: str, address: tuple[str, int], tries: int) -> dict[str, list[str]]:
    ask = _udp if kind == socket.SOCK_DGRAM else _http
    responses: list[str] = []
    errors: list[str] = []
    last = ""
    for _ in range(tries):
        try:
            last = ask(what, address)
            responses.append(last)
        except (OSError, AskFailed) as error:
            last = ""
            errors.append(_message(kind, what, address, error))
    # As upstream: the responses are told only when the last try brought something.
    return {**({"responses": responses} if last else {}), **({"errors": errors} if errors else {})}


class AskFailed(Exception):
    """What came back is no HTTP answer."""


def _http(what: str, address: tuple[str, int]) -> str:
    import http.client  # weighs several MB; most servers never dial

    url = f"http://{address[0]}:{address[1]}/{what}"
    for _ in range(MOST_REDIRECTS):
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
            answer = connection.getresponse()
            location = answer.headers.get("Location")
            if answer.status not in (301, 302, 303, 307, 308) or not location:
                return answer.read().decode(errors="replace")
            url = urljoin(url, location)
        except http.client.HTTPException as error:
            raise AskFailed(str(error) or type(error).__name__) from error
        finally:
            connection.close()
    raise AskFailed(f"stopped after {MOST_REDIRECTS} redirects")


def _udp(what: str, address: tuple[str, int]) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(TIMEOUT_SECONDS)
        connection.connect(address)
        connection.send(what.encode())
        return connection.recv(2048).decode(errors="replace")


def _message(kind: socket.SocketKind, what: str, address: tuple[str, int], error: Exception) -> str:
    to = f"{address[0]}:{address[1]}"
    number = getattr(error, "errno", None)
    text = os.strerror(number).lower() if number else str(error)
    if isinstance(error, TimeoutError):
        text = "i/o timeout"
    if kind == socket.SOCK_DGRAM:
        return f"reading from udp connection failed. err:'read udp {to}: {text}'"
    cause = f"dial tcp {to}: connect: {text}" if number else text
    return f'Get "http://{to}/{what}": {cause}'


def _bad(message: str) -> Response:
    return Response(f"{message}\n".encode(), 400, {"X-Content-Type-Options": "nosniff"})
