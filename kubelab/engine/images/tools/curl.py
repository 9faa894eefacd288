"""A stand-in for curl: one request after the other over HTTP/1.1, with curl's exit codes and messages."""

from __future__ import annotations

import base64
import http.client
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

from kubelab.engine.images.tools import VERSION
from kubelab.engine.images.tools.curl_connection import Connection, Failed, connect
from kubelab.engine.images.tools.curl_options import LONG_FLAGS, LONG_VALUES, Options, Usage, read

MOST_REDIRECTS = 50


@dataclass
class Transfer:
    """One URL's story, for ``--write-out``."""

    url: str
    began: float = field(default_factory=time.monotonic)
    connected: float = 0.0
    first_byte: float = 0.0
    total: float = 0.0
    code: int = 0
    redirects: int = 0
    size: int = 0
    content_type: str = ""
    connection: Connection | None = None
    error: Failed | None = None

    def since(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.began


def main(argv: Sequence[str]) -> int:
    """Run; answers curl's exit code."""
    try:
        options = read(argv[1:])
        if options.has("version"):
            sys.stdout.write(f"curl ({VERSION}) http https\n")
            return 0
        if options.has("help"):
            known = sorted([f"--{name}" for name in LONG_FLAGS] + [f"--{name} VALUE" for name in LONG_VALUES])
            sys.stdout.write(f"{VERSION} for curl knows:\n  " + "\n  ".join(known) + "\n")
            return 0
        if not options.urls:
            raise Usage("no URL specified")
        return max(_one(options, url, index) for index, url in enumerate(options.urls))
    except Usage as error:
        sys.stderr.write(f"curl: {error}\ncurl: try 'curl --help' for more information\n")
        return 2


def _one(options: Options, url: str, index: int) -> int:
    transfer = Transfer(url if "://" in url else f"http://{url}")
    outputs = options.values.get("output") or []
    try:
        _follow(options, transfer, outputs[index] if index < len(outputs) else None)
    except Failed as error:
        transfer.error = error
        if not options.has("silent") or options.has("show-error"):
            sys.stderr.write(f"curl: ({error.code}) {error}\n")
    transfer.total = transfer.since()
    if options.last("write-out"):
        sys.stdout.buffer.write(_write_out(options.last("write-out"), transfer).encode())
    sys.stdout.flush()
    return transfer.error.code if transfer.error else 0


def _follow(options: Options, transfer: Transfer, output: str | None) -> None:
    method, body = _method(options)
    while True:
        response, connection = _send(options, transfer, method, body)
        location = response.headers.get("Location")
        with connection, response:
            going_on = options.has("location") and location and response.status in (301, 302, 303, 307, 308)
            _receive(options, transfer, response, None if going_on else output, discard=bool(going_on))
        if not going_on or not location:
            return
        if transfer.redirects >= int(options.last("max-redirs", str(MOST_REDIRECTS))):
            raise Failed(47, f"Maximum ({transfer.redirects}) redirects followed")
        transfer.redirects += 1
        transfer.url = urljoin(transfer.url, location)
        if response.status in (301, 302, 303) and method != "HEAD" and not options.last("request"):
            method, body = "GET", None


def _method(options: Options) -> tuple[str, bytes | None]:
    parts = []
    for name in ("data", "data-raw", "data-binary"):
        for text in options.values.get(name, []):
            if text.startswith("@") and name != "data-raw":
                content = sys.stdin.buffer.read() if text == "@-" else Path(text[1:]).read_bytes()
                parts.append(content if name == "data-binary" else content.replace(b"\n", b"").replace(b"\r", b""))
            else:
                parts.append(text.encode())
    body = b"&".join(parts) if parts else None
    usual = "HEAD" if options.has("head") else "POST" if body is not None else "GET"
    return options.last("request", usual), body


def _send(
    options: Options, transfer: Transfer, method: str, body: bytes | None
) -> tuple[http.client.HTTPResponse, Connection]:
    parts = urlsplit(transfer.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        if parts.scheme in ("http", "https"):
            raise Failed(3, "URL using bad/illegal format or missing URL")
        raise Failed(1, f'Protocol "{parts.scheme}" not supported')
    connection = connect(options, transfer.url, transfer.began)
    transfer.connection, transfer.connected = connection, transfer.since()
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", *_headers(options, parts.netloc.rpartition("@")[2], body)]
    try:
        if options.has("verbose"):
            sys.stderr.write("".join(f"> {line}\n" for line in [*lines, ""]))
        connection.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b""))
        response = _response(connection, method)
    except http.client.RemoteDisconnected as error:
        connection.close()
        raise Failed(52, "Empty reply from server") from error
    except (http.client.HTTPException, OSError) as error:
        connection.close()
        raise _lost(options, transfer, error) from error
    transfer.first_byte, transfer.code = transfer.since(), response.status
    transfer.content_type = response.headers.get("Content-Type", "")
    if options.has("verbose"):
        sys.stderr.write("".join(f"< {line}\n" for line in [_status_line(response), *_lines(response), ""]))
    return response, connection


def _response(connection: Connection, method: str) -> http.client.HTTPResponse:
    response = http.client.HTTPResponse(connection.socket, method=method)
    try:
        response.begin()
    except BaseException:
        response.close()
        raise
    return response


def _headers(options: Options, host: str, body: bytes | None) -> list[str]:
    headers = {"Host": host, "User-Agent": options.last("user-agent", "curl/8 (kubelab)"), "Accept": "*/*"}
    if body is not None:
        headers |= {"Content-Length": str(len(body)), "Content-Type": "application/x-www-form-urlencoded"}
    if options.last("user"):
        headers["Authorization"] = "Basic " + base64.b64encode(options.last("user").encode()).decode()
    for name, option in (("Cookie", "cookie"), ("Referer", "referer")):
        if options.last(option):
            headers[name] = options.last(option)
    lines = dict.fromkeys(headers)
    own = []
    for header in options.values.get("header", []):
        name, _, value = header.partition(":")
        known = next((each for each in lines if each.lower() == name.strip().lower()), None)
        if known is not None:
            headers.pop(known, None)
        if value.strip():
            own.append(f"{name.strip()}: {value.strip()}")
    return [*(f"{name}: {value}" for name, value in headers.items()), *own]


def _status_line(response: http.client.HTTPResponse) -> str:
    version = "HTTP/1.0" if response.version == 10 else "HTTP/1.1"
    return f"{version} {response.status} {response.reason}"


def _lines(response: http.client.HTTPResponse) -> list[str]:
    return [f"{name}: {value}" for name, value in response.headers.items()]


def _receive(
    options: Options, transfer: Transfer, response: http.client.HTTPResponse, output: str | None, *, discard: bool
) -> None:
    if options.has("fail") and response.status >= 400:
        raise Failed(22, f"The requested URL returned error: {response.status}")
    try:
        with _sink(output) as sink:
            _copy(options, transfer, response, sink, discard=discard)
    except http.client.IncompleteRead as error:
        raise Failed(18, "transfer closed with outstanding read data remaining") from error
    except BrokenPipeError as error:
        raise Failed(23, "Failed writing body") from error
    except OSError as error:
        raise _lost(options, transfer, error) from error


@contextmanager
def _sink(output: str | None) -> Iterator[BinaryIO]:
    if output in (None, "-"):
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with Path(str(output)).open("wb") as file:
            yield file
    except FileNotFoundError as error:
        raise Failed(23, f"Failed to open the file {output}: {error.strerror}") from error


def _copy(
    options: Options, transfer: Transfer, response: http.client.HTTPResponse, sink: BinaryIO, *, discard: bool
) -> None:
    if options.has("include") or options.has("head"):
        sink.write(("\r\n".join([_status_line(response), *_lines(response)]) + "\r\n\r\n").encode())
    while chunk := response.read1(65536):
        transfer.size += 0 if discard else len(chunk)
        if not discard:
            sink.write(chunk)
            sink.flush()


def _lost(options: Options, transfer: Transfer, error: Exception) -> Failed:
    if isinstance(error, TimeoutError):
        milliseconds = round(transfer.since() * 1000)
        return Failed(28, f"Operation timed out after {milliseconds} milliseconds with {transfer.size} bytes received")
    if isinstance(error, http.client.HTTPException):
        return Failed(1, "Received HTTP/0.9 when not allowed")
    return Failed(56, f"Recv failure: {getattr(error, 'strerror', None) or error}")


def _write_out(form: str, transfer: Transfer) -> str:
    connection = transfer.connection
    values = {
        "http_code": f"{transfer.code:03d}",
        "response_code": f"{transfer.code:03d}",
        "content_type": transfer.content_type,
        "errormsg": str(transfer.error or ""),
        "exitcode": str(transfer.error.code if transfer.error else 0),
        "local_ip": connection.local[0] if connection else "",
        "local_port": str(connection.local[1]) if connection else "0",
        "num_redirects": str(transfer.redirects),
        "remote_ip": connection.remote[0] if connection else "",
        "remote_port": str(connection.remote[1]) if connection else "0",
        "size_download": str(transfer.size),
        "time_connect": f"{transfer.connected:.6f}",
        "time_starttransfer": f"{transfer.first_byte:.6f}",
        "time_total": f"{transfer.total:.6f}",
        "url": transfer.url,
        "url_effective": transfer.url,
    }
    escapes = {"\\n": "\n", "\\t": "\t", "\\r": "\r"}
    form = re.sub(r"\\[ntr]", lambda found: escapes[found[0]], form)
    return re.sub(r"%\{(\w+)\}|%%", lambda found: values.get(found[1], "") if found[1] else "%", form)
