"""The HTTP GET of a probe or a hook, as kubelet makes it (kubernetes.io: "HTTP probes")."""

from __future__ import annotations

import asyncio
import ssl
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from kubelab.engine.client import Object
from kubelab.engine.network.contract import Network, Place

USER_AGENT = "kube-probe/1.36"
MOST_REDIRECTS = 10
_MOST_LINES = 1000


class Target(NamedTuple):
    """What to ask for, and where."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """In one word."""
        return f"{self.scheme}://{self.host}:{self.port}{self.path}"

    @classmethod
    def of(cls, action: Object, host: str, port: int) -> Target:
        """Of an ``httpGet``."""
        path = action.get("path") or "/"
        path = quote(path if path.startswith("/") else f"/{path}", safe="/?&=%#:@!$'()*+,;~")
        return cls((action.get("scheme") or "HTTP").lower(), host, port, path)

    def redirected(self, location: str) -> Target | None:
        """Where a redirect leads; None when it leaves the host, where probes do not follow."""
        parts = urlsplit(urljoin(self.url, location))
        if parts.scheme not in ("http", "https") or parts.hostname != self.host:
            return None
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return Target(parts.scheme, self.host, port, f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}")


async def get(network: Network, place: Place, target: Target, wanted: Object, seconds: float) -> int:
    """The status code, redirects on the same host followed. Raises OSError, and ValueError for what is not HTTP."""
    for _ in range(MOST_REDIRECTS):
        code, location = await _once(network, place, target, wanted, seconds)
        if code not in (301, 302, 303, 307, 308) or not location:
            return code
        onward = target.redirected(location)
        if onward is None:
            return code
        target = onward
    raise ValueError(f"stopped after {MOST_REDIRECTS} redirects")


async def _once(network: Network, place: Place, target: Target, wanted: Object, seconds: float) -> tuple[int, str]:
    connection = await network.connect(place, target.host, target.port, timeout_seconds=seconds)
    tls = target.scheme == "https"
    try:
        reader, writer = await asyncio.open_connection(
            sock=connection, ssl=_unverified() if tls else None, server_hostname=target.host if tls else None
        )
    except BaseException:
        connection.close()
        raise
    try:
        writer.write(_request(target, wanted))
        return await _answer(reader)
    finally:
        writer.close()


def _request(target: Target, wanted: Object) -> bytes:
    headers = {
        "Host": f"{target.host}:{target.port}",
        "User-Agent": USER_AGENT,
        "Accept": "*/*",
        "Connection": "close",
    }
    headers |= {each["name"].title(): each.get("value", "") for each in wanted.get("httpHeaders") or ()}
    lines = [f"GET {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


async def _answer(reader: asyncio.StreamReader) -> tuple[int, str]:
    line = await reader.readline()
    version, _, rest = line.decode("latin-1").partition(" ")
    if not line:
        raise ValueError("EOF")
    if not version.startswith("HTTP/") or not rest[:3].isdigit():
        raise ValueError(f'net/http: HTTP/1.x transport connection broken: malformed HTTP response "{version}"')
    code, location = int(rest[:3]), ""
    for _ in range(_MOST_LINES if 300 <= code < 400 else 0):
        name, colon, value = (await reader.readline()).decode("latin-1").partition(":")
        if not colon:
            break
        if name.strip().lower() == "location":
            location = value.strip()
    return code, location


def _unverified() -> ssl.SSLContext:
    # kubelet does not verify a probe's certificate.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
