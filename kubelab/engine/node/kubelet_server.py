"""The kubelet API over HTTPS, for the API server: paths, and the protocols in which streams come."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from aiohttp import WSCloseCode, WSMsgType, web

from kubelab.engine.node.channels import PROTOCOLS, Channels, Message
from kubelab.engine.node.clock import cancel
from kubelab.engine.node.forwarding import SPDY_PROTOCOL
from kubelab.engine.node.kubelet_access import for_the_api_server, while_reached
from kubelab.engine.node.kubelet_api import BAD, NOT_THERE, KubeletApi, Refused
from kubelab.engine.node.sessions import Wanted
from kubelab.engine.node.spdy import Connection
from kubelab.engine.node.spdy_channels import SpdyChannels
from kubelab.engine.upgraded import Upgraded

SPDY = "SPDY/3.1"
TUNNEL = f"{SPDY}+{SPDY_PROTOCOL}"
"""The WebSocket protocol whose messages are SPDY's bytes."""
VERSION_HEADER = "X-Stream-Protocol-Version"

Session = Callable[[Channels], Awaitable[None]]


class KubeletServer:
    """Serves one node's `KubeletApi`."""

    def __init__(self, api: KubeletApi) -> None:
        self._api = api
        self._runner: web.AppRunner | None = None

    async def start(self, tls: ssl.SSLContext | None, reached: Callable[[], bool]) -> int:
        """Listen on a free port of 127.0.0.1; answers it, 0 when there is no TLS context to serve with."""
        if tls is None:
            return 0
        app = self.application()
        app.middlewares.extend([while_reached(reached), for_the_api_server])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop serving, open streams included."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/pods", self._pods)
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._container_logs)
        for method in ("GET", "POST"):
            app.router.add_route(method, "/exec/{namespace}/{pod}/{container}", self._exec)
            app.router.add_route(method, "/attach/{namespace}/{pod}/{container}", self._attach)
            app.router.add_route(method, "/portForward/{namespace}/{pod}", self._port_forward)
        return app

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _pods(self, request: web.Request) -> web.Response:
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": self._api.pods()})

    async def _container_logs(self, request: web.Request) -> web.StreamResponse:
        at = request.match_info
        try:
            chunks = self._api.logs(at["namespace"], at["pod"], at["container"], request.query)
        except Refused as refused:
            return web.Response(status=refused.code, text=str(refused))
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        try:
            async for chunk in chunks:
                await response.write(chunk)
            await response.write_eof()
        except ConnectionError:  # the client has read enough
            return response
        return response

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        at, argv, wanted = request.match_info, request.query.getall("command", []), _wanted(request)
        return await _session(
            request,
            wanted,
            lambda client: self._api.execute(at["namespace"], at["pod"], at["container"], argv, wanted, client),
        )

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        at, wanted = request.match_info, _wanted(request)
        return await _session(
            request,
            wanted,
            lambda client: self._api.attach(at["namespace"], at["pod"], at["container"], wanted, client),
        )

    async def _port_forward(self, request: web.Request) -> web.StreamResponse:
        at = request.match_info
        namespace, pod = at["namespace"], at["pod"]
        try:
            self._api.ports_of(namespace, pod)
        except Refused as refused:
            return web.Response(status=refused.code, text=str(refused))
        if TUNNEL in _offered(request):
            socket = web.WebSocketResponse(protocols=[TUNNEL], max_msg_size=0, compress=False)
            await socket.prepare(request)
            await self._forward_streams(namespace, pod, Connection(socket.send_bytes), _bytes(socket))
            await socket.close(code=WSCloseCode.OK)
            return socket
        if _upgrade(request) == SPDY.lower():
            raw = Upgraded(SPDY, {VERSION_HEADER: SPDY_PROTOCOL})
            raw.begin(request)
            await self._forward_streams(namespace, pod, Connection(raw.write), aiter(raw))
            return raw
        words = [
            word for key in ("port", "ports") for each in request.query.getall(key, []) for word in each.split(",")
        ]
        if not words or not all(word.isdigit() and 0 < int(word) < 65536 for word in words):
            return web.Response(status=BAD, text="name the ports to forward: ?port=80")
        ports = [int(word) for word in words]
        return await _over_websocket(request, lambda client: self._api.forward(namespace, pod, ports, client))

    async def _forward_streams(
        self, namespace: str, pod: str, connection: Connection, chunks: AsyncIterator[bytes]
    ) -> None:
        await _beside(connection, chunks, self._api.forward_streams(namespace, pod, connection))


async def _beside(connection: Connection, chunks: AsyncIterator[bytes], work: Awaitable[None]) -> None:
    """Read the connection while the work is done; what the client breaks ends only its own session."""
    reading = asyncio.ensure_future(connection.run(chunks))
    try:
        with suppress(ConnectionError):
            await work
    finally:
        await cancel(reading)


def _upgrade(request: web.Request) -> str:
    return request.headers.get("Upgrade", "").lower()


def _offered(request: web.Request) -> list[str]:
    """The WebSocket protocols that the client offers, if it wants a WebSocket."""
    if _upgrade(request) != "websocket":
        return []
    return [word.strip() for word in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if word.strip()]


def _wanted(request: web.Request) -> Wanted:
    def asked(*names: str) -> bool:
        return any(request.query.get(name, "").lower() in ("1", "true") for name in names)

    return Wanted(asked("stdin", "input"), asked("stdout", "output"), asked("stderr", "error"), asked("tty"))


async def _session(request: web.Request, wanted: Wanted, run: Session) -> web.StreamResponse:
    if _upgrade(request) == SPDY.lower():
        return await _over_spdy(request, wanted, run)
    return await _over_websocket(request, run)


# Over WebSockets


class _WebSocketChannels:
    """`Channels` over a WebSocket."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def send(self, channel: int, data: bytes) -> None:
        if not self._socket.closed:
            try:
                await self._socket.send_bytes(bytes([channel]) + data)
            except ConnectionError:
                return

    async def __aiter__(self) -> AsyncIterator[Message]:
        async for message in self._socket:
            if message.type == WSMsgType.BINARY and message.data:
                yield Message(message.data[0], message.data[1:])
            elif message.type == WSMsgType.TEXT and message.data:
                yield Message(ord(message.data[0]) & 0xFF, message.data[1:].encode())


async def _bytes(socket: web.WebSocketResponse) -> AsyncIterator[bytes]:
    async for message in socket:
        if message.type == WSMsgType.BINARY:
            yield message.data


async def _over_websocket(request: web.Request, run: Session) -> web.StreamResponse:
    offered = _offered(request)
    if not set(offered) & set(PROTOCOLS):
        what = ", ".join(offered) or request.headers.get("Upgrade") or "none"
        return web.Response(
            status=BAD,
            text=f"kubelab streams over WebSocket as {' or '.join(PROTOCOLS)}, or over {SPDY}; "
            f"the client offered {what}",
        )
    socket = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=0, compress=False)
    await socket.prepare(request)
    try:
        await run(_WebSocketChannels(socket))
    except Refused as refused:
        await socket.send_bytes(b"\x03" + _status(refused))
    await socket.close(code=WSCloseCode.OK)
    return socket


# Over SPDY


async def _over_spdy(request: web.Request, wanted: Wanted, run: Session) -> web.StreamResponse:
    versions = [word.strip() for each in request.headers.getall(VERSION_HEADER, []) for word in each.split(",")]
    version = next((each for each in versions if each in PROTOCOLS), None)
    if version is None:
        return web.Response(status=403, text=f"unable to negotiate protocol: offered {versions}, known {PROTOCOLS}")
    raw = Upgraded(SPDY, {VERSION_HEADER: version})
    raw.begin(request)
    connection = Connection(raw.write)

    async def work() -> None:
        client = await SpdyChannels.accept(connection, wanted)
        if client is None:
            return
        try:
            await run(client)
        except Refused as refused:
            await client.send(3, _status(refused))
        await client.end()

    await _beside(connection, aiter(raw), work())
    return raw


def _status(refused: Refused) -> bytes:
    status = {"metadata": {}, "status": "Failure", "message": str(refused), "code": refused.code}
    status["reason"] = "NotFound" if refused.code == NOT_THERE else "BadRequest"
    return json.dumps(status).encode()
