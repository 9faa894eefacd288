"""The kubelet API: logs, exec, attach and port-forward, over HTTPS for the API server, or called in tests."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from aiohttp import WSCloseCode, WSMsgType, web

from kubelab.engine.node import sessions
from kubelab.engine.node.channels import PROTOCOLS, Message
from kubelab.engine.node.log_reader import BadLogOptions, LogOptions, read
from kubelab.engine.node.sessions import Wanted

if TYPE_CHECKING:
    from kubelab.engine.node.agent import NodeAgent
    from kubelab.engine.node.channels import Channels
    from kubelab.engine.node.container import Container
    from kubelab.engine.node.pod_worker import PodWorker

NOT_THERE = 404
BAD = 400


class Refused(Exception):
    """A request that cannot be answered: ``code`` is the HTTP status, the message is plain text."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class KubeletApi:
    """``logs``, ``execute``, ``attach`` and ``forward`` need no socket; `start` serves them."""

    def __init__(self, agent: NodeAgent) -> None:
        self._agent = agent
        self._runner: web.AppRunner | None = None

    # Without a socket

    def logs(self, namespace: str, pod: str, container: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The log's text in chunks. Raises `Refused`."""
        try:
            options = LogOptions.from_query(query, self._agent.host.clock.now())
        except BadLogOptions as error:
            raise Refused(BAD, str(error)) from error
        worker = self._worker(namespace, pod)
        found = self._container(worker, container)
        folder = self._agent.host.logs / worker.uid / container
        if options.previous:
            path = folder / f"{found.record.restarts - 1}.log"
            if not path.exists():
                raise Refused(BAD, f'previous terminated container "{container}" in pod "{pod}" not found')
            return read(path, options, None)
        waiting = found.record.state.get("waiting")
        if waiting and found.record.exit_code is None:
            raise Refused(BAD, f'container "{container}" in pod "{pod}" is waiting to start: {_why(waiting["reason"])}')
        live = found.log if found.log is not None and not found.log.closed else None
        return read(folder / f"{found.record.restarts}.log", options, live)

    async def execute(
        self, namespace: str, pod: str, container: str, argv: Sequence[str], wanted: Wanted, client: Channels
    ) -> None:
        """Run a command in a container for a client. Raises `Refused`."""
        found = self._container(self._worker(namespace, pod), container)
        if found.running is None:
            raise Refused(NOT_THERE, f'container not found ("{container}")')
        if not argv:
            raise Refused(BAD, "you must specify at least 1 command for the container")
        await sessions.execute(self._agent.host.network, found.running, argv, wanted, client)

    async def attach(self, namespace: str, pod: str, container: str, wanted: Wanted, client: Channels) -> None:
        """Join a client to a container's streams. Raises `Refused`."""
        found = self._container(self._worker(namespace, pod), container)
        if found.streams is None or found.log is None:
            raise Refused(NOT_THERE, f'container not found ("{container}")')
        await sessions.attach(found.streams, found.log, wanted, client)

    async def forward(self, namespace: str, pod: str, ports: Sequence[int], client: Channels) -> None:
        """Forward ports of a pod. Raises `Refused`."""
        worker = self._worker(namespace, pod)
        host = self._agent.host
        await sessions.forward(host.network, host.place_of(worker.record), ports, client)

    def _worker(self, namespace: str, pod: str) -> PodWorker:
        for worker in self._agent.workers.values():
            meta = worker.record.pod["metadata"]
            if (meta["namespace"], meta["name"]) == (namespace, pod):
                return worker
        raise Refused(NOT_THERE, f'pod "{pod}" not found on node {self._agent.host.spec.name}')

    def _container(self, worker: PodWorker, name: str) -> Container:
        if name not in worker.containers:
            pod = worker.record.pod["metadata"]["name"]
            raise Refused(NOT_THERE, f'container "{name}" not found in pod "{pod}"')
        return worker.containers[name]

    # Over HTTPS

    async def start(self) -> int:
        """Listen on a free port of 127.0.0.1; answers it, 0 when there is no TLS context to serve with."""
        tls = self._agent.host.settings.kubelet_tls
        if tls is None:
            return 0
        self._runner = web.AppRunner(
            self.application(), access_log=None, shutdown_timeout=0.5, handler_cancellation=True
        )
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
        items = [worker.record.pod for worker in self._agent.workers.values()]
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})

    async def _container_logs(self, request: web.Request) -> web.StreamResponse:
        at = request.match_info
        try:
            chunks = self.logs(at["namespace"], at["pod"], at["container"], request.query)
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
            request, lambda client: self.execute(at["namespace"], at["pod"], at["container"], argv, wanted, client)
        )

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        at, wanted = request.match_info, _wanted(request)
        return await _session(
            request, lambda client: self.attach(at["namespace"], at["pod"], at["container"], wanted, client)
        )

    async def _port_forward(self, request: web.Request) -> web.StreamResponse:
        at = request.match_info
        words = [
            word for key in ("port", "ports") for each in request.query.getall(key, []) for word in each.split(",")
        ]
        if not words or not all(word.isdigit() and 0 < int(word) < 65536 for word in words):
            return web.Response(status=BAD, text="name the ports to forward: ?port=80")
        ports = [int(word) for word in words]
        return await _session(request, lambda client: self.forward(at["namespace"], at["pod"], ports, client))


def _why(reason: str) -> str:
    pull = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
    return "trying and failing to pull image" if reason in pull else reason


def _wanted(request: web.Request) -> Wanted:
    def asked(*names: str) -> bool:
        return any(request.query.get(name, "").lower() in ("1", "true") for name in names)

    return Wanted(asked("stdin", "input"), asked("stdout", "output"), asked("stderr", "error"), asked("tty"))


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


async def _session(request: web.Request, run: Callable[[Channels], object]) -> web.StreamResponse:
    offered = [word.strip() for word in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if word.strip()]
    if request.headers.get("Upgrade", "").lower() != "websocket" or not set(offered) & set(PROTOCOLS):
        what = ", ".join(offered) or request.headers.get("Upgrade") or "none"
        return web.Response(
            status=BAD, text=f"kubelab streams over WebSocket as {' or '.join(PROTOCOLS)}; the client offered {what}"
        )
    socket = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=0, compress=False)
    await socket.prepare(request)
    try:
        await run(_WebSocketChannels(socket))  # type: ignore[misc]
    except Refused as refused:
        status = {"metadata": {}, "status": "Failure", "message": str(refused), "code": refused.code}
        status["reason"] = "NotFound" if refused.code == NOT_THERE else "BadRequest"
        await socket.send_bytes(b"\x03" + json.dumps(status).encode())
    await socket.close(code=WSCloseCode.OK)
    return socket
