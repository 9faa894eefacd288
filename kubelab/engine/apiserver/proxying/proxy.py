"""A request handed on, and its answer handed back, both as they come."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import AsyncIterator
from urllib.parse import quote, unquote

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from kubelab.engine.apiserver.call import Call
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.kubelet import KubeletRelay
from kubelab.engine.apiserver.proxying.connecting import OneConnection, Ways, why
from kubelab.engine.apiserver.proxying.handover import hand_over
from kubelab.engine.apiserver.proxying.headers import is_upgrade, to_client, to_server
from kubelab.engine.apiserver.proxying.links import LARGEST_PAGE, Links
from kubelab.engine.apiserver.proxying.locations import Location, Locations
from kubelab.engine.apiserver.routing import Target
from kubelab.engine.apiserver.settings import ApiServerSettings
from kubelab.engine.apiserver.status import unavailable
from kubelab.engine.apiserver.storage import Store

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_SAFE = "/$&+,:;=@~"
"""What a path holds unescaped besides letters, digits and ``-._``, as Go writes it."""
_LONGEST_LINE = 64 * 1024


class Proxy:
    """Serves the proxy subresources of Services, pods and nodes."""

    def __init__(self, store: Store, relay: KubeletRelay, settings: ApiServerSettings) -> None:
        self._locations = Locations(store, relay)
        self._ways = Ways(settings.dial, settings.kubelet_tls)

    async def answer(self, request: web.BaseRequest, call: Call) -> web.StreamResponse:
        """What the server behind the path answers. Raises a Status: there is none, or it does not answer."""
        to, path = self._locations.find(call.target), _path(request, call.target)
        query = request.rel_url.raw_query_string
        if is_upgrade(request.headers):
            return await hand_over(request, self._ways, to, f"{path or '/'}{'?' if query else ''}{query}")
        if not path and request.method in ("GET", "HEAD"):  # else relative links would lead elsewhere
            there = f"{request.rel_url.raw_path}/{'?' if query else ''}{query}"
            return web.Response(status=301, headers={"Location": there, "Cache-Control": "no-cache, private"})
        url = URL.build(
            scheme=to.scheme, host=to.host, port=to.port, path=path or "/", query_string=query, encoded=True
        )
        links = Links(_prefix(request, call.target), to.authority, request.headers.get("Host", ""))
        async with self._session(to) as session, await self._ask(session, request, url, links, to) as inner:
            return await _hand_back(request, inner, links)

    def _session(self, to: Location) -> aiohttp.ClientSession:
        """For one request: no cookie, and no connection, of one user is another's."""
        return aiohttp.ClientSession(
            connector=OneConnection(self._ways, to),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
        )

    async def _ask(
        self, session: aiohttp.ClientSession, request: web.BaseRequest, url: URL, links: Links, to: Location
    ) -> aiohttp.ClientResponse:
        headers = to_server(request.headers, request.remote or "")
        headers["X-Forwarded-Uri"] = links.prefix + url.raw_path
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        body = request.content if request.can_read_body else None
        try:
            return await session.request(request.method, url, headers=headers, data=body, allow_redirects=False)
        except (aiohttp.ClientError, OSError, EOFError, ValueError) as error:
            raise unavailable(f"error trying to reach service: {why(to, error)}") from None


def options(target: Target) -> Object:
    """What a request asks for, as an object for policies to judge."""
    return {"apiVersion": "v1", "kind": f"{target.rtype.kind}ProxyOptions", "path": target.path}


def _path(request: web.BaseRequest, target: Target) -> str:
    """The path to ask the server for, cleaned and escaped anew; nothing where the proxy's path has no end."""
    ends = request.rel_url.raw_path.endswith("/")
    if not target.path:
        return "/" if ends else ""
    cleaned = posixpath.normpath(f"/{target.path.lstrip('/')}")
    return quote(cleaned, safe=_SAFE) + ("/" if ends and cleaned != "/" else "")


def _prefix(request: web.BaseRequest, target: Target) -> str:
    """The path up to its ``/proxy``, unescaped."""
    parts = request.rel_url.raw_path.strip("/").split("/")
    return unquote("/" + "/".join(parts[: 7 if target.namespace else 5]))


# -- answers ------------------------------------------------------------------------------------


async def _hand_back(request: web.BaseRequest, inner: aiohttp.ClientResponse, links: Links) -> web.StreamResponse:
    headers, begun = to_client(inner.headers), b""
    if location := headers.get("Location"):
        headers["Location"] = links.url(location)
    elif inner.content_type == "text/html":
        begun = await _page(request, inner, headers, links)
    outer = web.StreamResponse(status=inner.status, reason=inner.reason, headers=headers)
    try:
        await outer.prepare(request)
        if begun:
            await outer.write(begun)
        async for chunk in inner.content.iter_any():
            await outer.write(chunk)
        await outer.write_eof()
    except (aiohttp.ClientError, OSError):  # either side has gone: the client sees that this is not the whole
        if request.transport is not None:
            request.transport.abort()
    return outer


async def _page(
    request: web.BaseRequest, inner: aiohttp.ClientResponse, headers: CIMultiDict[str], links: Links
) -> bytes:
    """A page with its links, or the beginning of one that passes as it is."""
    rewrite = {"": links.page, "gzip": links.compressed_page}.get(headers.get("Content-Encoding", ""))
    if rewrite is None:
        return b""
    headers.popall("Content-Length", None)
    if request.method == "HEAD":
        return b""
    try:
        begun = b"".join([part async for part in _at_most(inner.content, LARGEST_PAGE)])
    except (aiohttp.ClientError, OSError):
        raise unavailable("error trying to reach service: unexpected EOF") from None
    if not inner.content.at_eof():
        return begun
    page = await asyncio.to_thread(rewrite, begun)
    headers["Content-Length"] = str(len(page))
    return page


async def _at_most(content: aiohttp.StreamReader, size: int) -> AsyncIterator[bytes]:
    while size > 0 and (part := await content.readany()):
        size -= len(part)
        yield part
