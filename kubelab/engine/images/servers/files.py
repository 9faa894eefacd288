"""nginx and httpd, as far as they serve files: indexes, redirects to folders, 304, their logs and their errors."""

from __future__ import annotations

import os
import posixpath
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from kubelab.engine.images.http_server import Request, Response
from kubelab.engine.images.servers.pages import HTTPD_ROOT, NGINX_ROOT, page
from kubelab.engine.images.servers.serving import STAND_IN, serve

_TYPES = {
    ".html": "text/html",
    ".htm": "text/html",
    ".css": "text/css",
    ".js": "application/javascript",
    ".json": "application/json",
    ".txt": "text/plain",
    ".xml": "text/xml",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".ico": "image/x-icon",
}


@dataclass(frozen=True)
class Site:
    """A folder, and in whose name it is served."""

    root: str
    server: str
    """The name in the Server header and on error pages."""
    extended: bool = True
    """Whether the log ends with referrer, user agent and X-Forwarded-For, as nginx's image has it."""

    def handle(self, request: Request) -> Response:
        """The answer, logged on stdout."""
        response = self._answer(request)
        response.headers["Server"] = self.server
        sys.stdout.write(self._line(request, response))
        sys.stdout.flush()
        return response

    def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return self._refuse(405)
        path = posixpath.normpath("/" + request.path.lstrip("/"))
        file = Path(self.root + path)
        try:
            if file.is_dir():
                if not request.path.endswith("/"):
                    return self._refuse(301, {"Location": f"http://{request.host}{path}/"})
                file = file / "index.html"
                if not file.exists():
                    return self._refuse(403)
            return self._send(file, request)
        except PermissionError:
            return self._refuse(403)
        except (OSError, ValueError):
            return self._refuse(404)

    def _send(self, file: Path, request: Request) -> Response:
        content, changed = file.read_bytes(), file.stat().st_mtime
        tag = f'"{int(changed):x}-{len(content):x}"'
        told = {"Last-Modified": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(changed)), "ETag": tag}
        if tag in (each.strip() for each in request.header("If-None-Match").split(",")):
            return Response(status=304, headers=told)
        return Response(content, 200, told, _TYPES.get(file.suffix.lower(), "application/octet-stream"))

    def _refuse(self, status: int, told: dict[str, str] | None = None) -> Response:
        title = f"{status} {HTTPStatus(status).phrase}"
        return Response(page(title, f"<hr>{self.server}").encode(), status, told or {}, "text/html")

    def _line(self, request: Request, response: Response) -> str:
        client = request.remote.rpartition(":")[0]
        now = time.strftime("%d/%b/%Y:%H:%M:%S %z")
        size = len(response.body) if request.method != "HEAD" else 0
        line = f'{client} - - [{now}] "{request.method} {request.target} HTTP/1.1" {response.status} {size}'
        if self.extended:
            for name in ("Referer", "User-Agent", "X-Forwarded-For"):
                line += f' "{request.header(name) or "-"}"'
        return line + "\n"


def nginx(argv: Sequence[str]) -> int:
    """Serve; also as the image's entry point, which runs whatever else it is given. Answers the exit code."""
    if argv[0].endswith("docker-entrypoint.sh"):
        argv = argv[1:]
        if argv and Path(argv[0]).name != "nginx":
            os.execvp(argv[0], list(argv))
    if {"-v", "-V"} & set(argv[1:]):
        sys.stderr.write(f"nginx version: nginx ({STAND_IN})\n")
        return 0
    if {"-t", "-T", "-s", "-h", "-?"} & set(argv[1:]):
        sys.stderr.write(f"nginx ({STAND_IN}): it reads no configuration: it serves {NGINX_ROOT}\n")
        return 1
    return _serve(NGINX_ROOT, "nginx", 8080 if "unprivileged" in os.environ.get("KUBELAB_IMAGE", "") else 80)


def httpd(argv: Sequence[str]) -> int:
    """Serve. Answers the exit code."""
    if {"-v", "-V"} & set(argv[1:]):
        sys.stdout.write(f"Server version: Apache ({STAND_IN})\n")
        return 0
    return _serve(HTTPD_ROOT, "Apache", 80, extended=False)


def _serve(root: str, name: str, port: int, *, extended: bool = True) -> int:
    site = Site(root, f"{name} ({STAND_IN})", extended)
    return serve(port, site.handle, began=f"[notice] {name} ({STAND_IN}) serves {root} on port {port}")
