"""Requests that a node answers: logs, exec, attach, port-forward. The server stands in between.

The kubelet API is spoken over HTTPS with a client certificate; streams are websockets that are handed through
frame by frame (v4 and v5.channel.k8s.io, and port-forwarding's tunnel alike), or SPDY byte by byte.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.call import Call
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.spdy_relay import relay_spdy
from kubelab.engine.apiserver.status import StatusError, bad_request, internal, not_found
from kubelab.engine.apiserver.storage import Store
from kubelab.engine.apiserver.upgrading import until_either_ends
from kubelab.engine.client.transport import ApiResponse

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_LOG_PARAMETERS = ("follow", "previous", "sinceSeconds", "sinceTime", "timestamps", "tailLines", "limitBytes",
                   "insecureSkipTLSVerifyBackend", "stream")  # fmt: skip
_STREAM_PARAMETERS = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}
"""The API's name of a stream → the kubelet's."""
KUBELET_PORT = 10250
"""Where a kubelet listens on a machine of its own (https://kubernetes.io/docs/reference/networking/ports-and-protocols/)."""
_CONNECT_SECONDS = 5
_LARGEST_FRAME = 16 * 1024 * 1024


@dataclass(frozen=True)
class KubeletUrl:
    """Where a pod's node listens, and what to ask of it."""

    base: str
    path: str
    query: list[tuple[str, str]]


def connection(call: Call) -> Object:
    """What a stream's request asks for, as an object: PodExecOptions and the like."""
    kinds = {"exec": "PodExecOptions", "attach": "PodAttachOptions", "portforward": "PodPortForwardOptions"}
    asked: Object = {"apiVersion": "v1", "kind": kinds[call.target.subresource]}
    if call.target.subresource == "portforward":
        ports = (value for name, value in call.request.query if name == "ports")
        return {**asked, "ports": [int(port) for port in ports if port.isdecimal()]}
    asked |= {name: True for name in _STREAM_PARAMETERS if call.flag(name)}
    commands = [value for name, value in call.request.query if name == "command"]
    return {**asked, "container": call.query.get("container", ""), **({"command": commands} if commands else {})}


def address_of(node: Object, kind: str) -> str:
    """A node's first address of a kind (``InternalIP``), or nothing."""
    addresses = (node.get("status") or {}).get("addresses") or ()
    return next((one["address"] for one in addresses if one["type"] == kind), "")


class KubeletRelay:
    """One pool of connections to the kubelets."""

    def __init__(self, store: Store, tls: ssl.SSLContext | None) -> None:
        self._store = store
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=self._tls if self._tls is not None else True, limit=0)
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return self._session

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    # -- where to ----------------------------------------------------------------------------------

    def locate(self, call: Call) -> KubeletUrl:
        """The kubelet's URL for a log, exec, attach or portforward of a pod. Raises a Status."""
        target = call.target
        stored = self._store.get(r.PODS.storage_key, (target.namespace, target.name))
        if stored is None:
            raise not_found(r.PODS, target.name)
        pod, sub = stored.obj, target.subresource
        where = f"{target.namespace}/{target.name}"
        if sub == "portforward":
            query = [(name, value) for name, value in call.request.query if name in ("port", "ports")]
            return KubeletUrl(self._base(pod), f"/portForward/{where}", query)
        container = _container(pod, call.query.get("container", ""))
        if sub == "log":
            query = [(name, value) for name, value in call.request.query if name in _LOG_PARAMETERS]
            return KubeletUrl(self._base(pod), f"/containerLogs/{where}/{container}", query)
        query = [(name, value) for name, value in call.request.query if name == "command"]
        query += [(kubelet, "1") for name, kubelet in _STREAM_PARAMETERS.items() if call.flag(name)]
        if sub == "exec" and not query[:1]:
            raise bad_request("you must specify at least 1 command for the container")
        return KubeletUrl(self._base(pod), f"/{sub}/{where}/{container}", query)

    def _base(self, pod: Object) -> str:
        name = pod["metadata"]["name"]
        node = pod["spec"].get("nodeName")
        if not node:
            raise bad_request(f"pod {name} does not have a host assigned")
        host, port = self.kubelet_of(node)
        return f"https://{host}:{port}"

    def kubelet_of(self, node: str) -> tuple[str, int]:
        """Host and port of a node's kubelet. Raises a Status."""
        stored = self._store.get(r.NODES.storage_key, ("", node))
        if stored is None:
            raise not_found(r.NODES, node)
        host = address_of(stored.obj, "ExternalDNS") or address_of(stored.obj, "InternalIP")
        endpoints = (stored.obj.get("status") or {}).get("daemonEndpoints") or {}
        if not host:
            raise internal(f"node {node} has no address yet; wait until it is Ready")
        return host, (endpoints.get("kubeletEndpoint") or {}).get("Port", KUBELET_PORT)

    # -- logs --------------------------------------------------------------------------------------

    async def answer(self, call: Call) -> ApiResponse:
        """A log, as a stream when it is followed. Streams that need a websocket are refused here."""
        if call.target.subresource != "log":
            self.locate(call)
            raise bad_request("Upgrade request required")
        url = self.locate(call)
        response = await self._get(url)
        if response.status != 200:
            text = await response.text()
            raise _kubelet_refused(response.status, text)
        headers = {"content-type": "text/plain"}
        if call.flag("follow"):
            return ApiResponse(200, _chunks(response), headers)
        return ApiResponse(200, await response.read(), headers)

    async def _get(self, url: KubeletUrl) -> aiohttp.ClientResponse:
        try:
            return await self._open().get(url.base + url.path, params=url.query)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise internal(f'Get "{url.base}{url.path}": {error}') from None

    # -- websockets --------------------------------------------------------------------------------

    async def relay(self, request: web.Request, call: Call) -> web.StreamResponse:
        """Join a client's websocket or SPDY connection to a kubelet's until either ends."""
        url = self.locate(call)
        if "websocket" not in request.headers["upgrade"].lower():
            return await relay_spdy(request, url.base, url.path, url.query, self._tls)
        offered = [
            part.strip() for part in request.headers.get("sec-websocket-protocol", "").split(",") if part.strip()
        ]
        try:
            inner = await self._open().ws_connect(
                url.base + url.path, params=url.query, protocols=offered, max_msg_size=_LARGEST_FRAME, autoping=True
            )
        except aiohttp.WSServerHandshakeError as error:
            raise _kubelet_refused(error.status, error.message) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise internal(f"error dialing backend: {error}") from None
        async with inner:
            outer = web.WebSocketResponse(
                protocols=[inner.protocol] if inner.protocol else (), max_msg_size=_LARGEST_FRAME
            )
            await outer.prepare(request)
            await _join(outer, inner)
        return outer


WebSocket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def _join(outer: web.WebSocketResponse, inner: aiohttp.ClientWebSocketResponse) -> None:
    try:
        await until_either_ends(_pump(outer, inner), _pump(inner, outer))
    finally:
        await inner.close()
        await outer.close()


async def _pump(source: WebSocket, sink: WebSocket) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.BINARY:
            await sink.send_bytes(message.data)
        elif message.type is aiohttp.WSMsgType.TEXT:
            await sink.send_str(message.data)
    await sink.close(code=source.close_code or aiohttp.WSCloseCode.OK)


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    finally:
        response.close()


def _kubelet_refused(status: int, text: str) -> StatusError:
    text = text.strip() or f"the node answered with status {status}"
    if status == 404:
        return StatusError(404, "NotFound", text, {})
    return bad_request(text) if status in (400, 403) else internal(text)


def _container(pod: Object, asked: str) -> str:
    spec, name = pod["spec"], pod["metadata"]["name"]
    known: list[dict[str, Any]] = [
        one for member in ("containers", "initContainers", "ephemeralContainers") for one in spec.get(member) or []
    ]
    names = [one["name"] for one in known]
    if asked:
        if asked not in names:
            raise bad_request(f"container {asked} is not valid for pod {name}")
        return asked
    main = [one["name"] for one in spec["containers"]]
    default = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER)
    if default in main:
        return str(default)
    if len(names) == 1:
        return main[0]
    text = f"a container name must be specified for pod {name}, choose one of: [{' '.join(main)}]"
    if spec.get("initContainers"):
        text += f" or one of the init containers: [{' '.join(one['name'] for one in spec['initContainers'])}]"
    raise bad_request(text)
