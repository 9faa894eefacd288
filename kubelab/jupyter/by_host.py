"""A server that makes a Host header out of the first elements of the path: ``/http/shop.example.test/cart``.

It stands behind jupyter-server-proxy. The pages come from pods, so the browser is told to keep them in a sandbox: their
scripts run, and cannot use the learner's Jupyter session.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import yarl
from aiohttp import web
from multidict import CIMultiDict

from kubelab.clusters.base import ClusterError
from kubelab.lab.errors import LabError
from kubelab.lab.pages import ENTRY

SANDBOX = "sandbox allow-scripts allow-forms allow-modals allow-popups"
PORTS = {"http": 80, "https": 443}
REQUEST_SECONDS = 300.0

_HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade",
})  # fmt: skip
_NOT_FOR_PODS = _HOP_BY_HOP | {"host", "cookie", "authorization", "x-xsrftoken", "content-length"}
"""Also what the browser says to Jupyter and no pod should hear."""

Doors = Callable[[], Mapping[int, int]]
"""Port of the ingress → port on this machine's loopback that leads there."""
Names = Callable[[], list[str]]
"""The host names that the cluster's Ingresses serve."""


def application(doors: Doors, names: Names, base_url: str = "/") -> web.Application:
    """The server; ``base_url`` is where Jupyter is mounted."""
    pages = _Pages(doors, names, f"{base_url.rstrip('/')}/{ENTRY}")
    app = web.Application()
    app.cleanup_ctx.append(pages.session_of)
    app.router.add_get("/", pages.index)
    app.router.add_get("/{scheme:https?}/{host:[^/]+}", _with_slash)
    app.router.add_route("*", "/{scheme:https?}/{host:[^/]+}{path:/.*}", pages.page)
    return app


async def _with_slash(request: web.Request) -> web.Response:
    path, mark, query = request.raw_path.partition("?")
    raise web.HTTPFound(yarl.URL(f"{path.rpartition('/')[2]}/{mark}{query}", encoded=True))


class _Pages:
    """The index of hosts, and every page of every host."""

    def __init__(self, doors: Doors, names: Names, place: str) -> None:
        self._doors = doors
        self._names = names
        self._place = place

    async def session_of(self, _app: web.Application) -> AsyncIterator[None]:
        """The connections to the ingress, as long as the server stands."""
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        async with aiohttp.ClientSession(auto_decompress=False, timeout=timeout) as self._session:
            yield

    async def index(self, _request: web.Request) -> web.Response:
        """Links to the hosts that there are."""
        try:
            names = await asyncio.to_thread(self._names)
        except (ClusterError, LabError) as error:
            return web.Response(status=502, text=f"The cluster's Ingresses cannot be listed. {error}\n")
        return web.Response(text=_index(self._place, names), content_type="text/html")

    async def page(self, request: web.Request) -> web.StreamResponse:
        """What the ingress answers for the host in the path."""
        target = request.match_info["scheme"], request.match_info["host"]
        wanted = target[1].partition(":")[2]
        if wanted and wanted != str(PORTS[target[0]]):
            why = f"the ingress speaks {target[0]} at port {PORTS[target[0]]}"
            return web.Response(status=502, text=f"There is no way from here to port {wanted}: {why}.\n")
        try:
            port = (await asyncio.to_thread(self._doors))[PORTS[target[0]]]
        except (KeyError, ClusterError) as error:
            why = "" if isinstance(error, KeyError) else f" {error}"
            return web.Response(status=502, text=f"There is no way from here to the cluster's ingress.{why}\n")
        # As written, never normalised: what a path matches is the lesson's subject.
        url = yarl.URL(f"{target[0]}://127.0.0.1:{port}/{request.raw_path.split('/', 3)[3]}", encoded=True)
        asked = _Asked(request, url, target[1])
        try:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await _conversation(asked, self._session)
            return await _answer(asked, self._session)
        except (aiohttp.ClientError, ValueError) as error:
            return web.Response(status=502, text=f"The ingress did not answer: {error}.\n")


class _Asked(NamedTuple):
    request: web.Request
    url: yarl.URL
    host: str

    @property
    def headers(self) -> CIMultiDict[str]:
        """What the browser said, but to Jupyter; with the Host that was meant."""
        said = ((name, value) for name, value in self.request.headers.items() if name.lower() not in _NOT_FOR_PODS)
        return CIMultiDict([*said, ("Host", self.host)])

    @property
    def tls(self) -> dict[str, Any]:
        """Options for the connection. The browser does not see the certificate: `lab.tls` shows and verifies it."""
        if self.url.scheme == "http":
            return {}
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return {"ssl": context, "server_hostname": self.host.partition(":")[0]}


async def _answer(asked: _Asked, session: aiohttp.ClientSession) -> web.StreamResponse:
    request = asked.request
    body = request.content if request.can_read_body else None
    async with session.request(
        request.method, asked.url, headers=asked.headers, data=body, allow_redirects=False, **asked.tls
    ) as answer:
        headers = CIMultiDict((name, each) for name, each in answer.headers.items() if name.lower() not in _HOP_BY_HOP)
        if location := headers.get("Location"):
            headers["Location"] = _inside(location, request.raw_path, asked.url.scheme, asked.host)
        headers["Content-Security-Policy"] = SANDBOX
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
        await response.prepare(request)
        async for piece in answer.content.iter_any():
            await response.write(piece)
        await response.write_eof()
        return response


async def _conversation(asked: _Asked, session: aiohttp.ClientSession) -> web.StreamResponse:
    """A WebSocket: what either end says, the other hears."""
    headers = CIMultiDict((name, each) for name, each in asked.headers.items() if not name.lower().startswith("sec-"))
    wanted = asked.request.headers.get("Sec-WebSocket-Protocol", "").split(",")
    protocols = [each.strip() for each in wanted if each.strip()]
    async with session.ws_connect(asked.url, headers=headers, protocols=protocols, **asked.tls) as there:
        here = web.WebSocketResponse(protocols=[there.protocol] if there.protocol else ())
        await here.prepare(asked.request)
        both = [asyncio.create_task(_copy(here, there)), asyncio.create_task(_copy(there, here))]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        await here.close()
        return here


_Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def _copy(source: _Socket, target: _Socket) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.TEXT:
            await target.send_str(message.data)
        elif message.type is aiohttp.WSMsgType.BINARY:
            await target.send_bytes(message.data)


def _inside(location: str, asked: str, scheme: str, host: str) -> str:
    """Where a redirect leads, told from the place ``asked`` (``/http/shop.example.test/cart``) as a relative link.

    Jupyter's own URL stands before both, and nobody here needs to know it.
    """
    parts = urlsplit(location)
    if (parts.scheme and parts.scheme not in PORTS) or not (parts.netloc or location.startswith("/")):
        return location
    rest = location.partition(parts.netloc)[2] if parts.netloc else location
    up = "../" * (asked.partition("?")[0].count("/") - 1)
    return f"{up or './'}{parts.scheme or scheme}/{parts.netloc or host}{rest or '/'}"


def _index(place: str, hosts: list[str]) -> str:
    def item(host: str) -> str:
        links = (
            f'<a href="{place}/{scheme}/{html.escape(host)}/">{scheme}://{html.escape(host)}/</a>' for scheme in PORTS
        )
        return f"<li>{' · '.join(links)}</li>"

    listed = "".join(map(item, hosts)) or "<li>No Ingress names a host yet.</li>"
    return (
        f"<!doctype html><title>Pages of the Ingress</title><h1>Hosts that the Ingresses serve</h1><ul>{listed}</ul>\n"
    )


def main(socket_path: str, base_url: str) -> None:
    """Serve on a Unix socket until told to stop."""
    from kubelab.clusters import find
    from kubelab.jupyter.hosts import hosts_of
    from kubelab.lab.api import KubeconfigApi

    cluster = find()

    def names() -> list[str]:
        # Read anew: this server outlives the cluster, and the next one has another address.
        return hosts_of(KubeconfigApi(cluster.kubeconfig))

    with contextlib.suppress(KeyboardInterrupt):
        app = application(lambda: cluster.loopback, names, base_url)
        web.run_app(app, path=socket_path, print=None)


if __name__ == "__main__":
    main(*sys.argv[1:3])
