"""The API of a kind cluster for tests: kubelab's own API server behind TLS that wants a client certificate.

What controllers would do is done at once: a Deployment is available, a namespace that is deleted is gone.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
import threading
from pathlib import Path

from kubelab.engine import config
from kubelab.engine.apiserver import ApiServer, ApiServerSettings
from kubelab.engine.apiserver.auth import ADMIN, IN_PROCESS_HEADER
from kubelab.engine.apiserver.call import Call
from kubelab.engine.client import ApiRequest, ApiResponse, Client, InProcessTransport
from kubelab.engine.client.resources import NODES, SERVICEACCOUNTS
from kubelab.engine.pki import PKI
from kubelab.engine.state import StateDir

NODE_NAMES = ("demo-control-plane", "demo-worker", "demo-worker2")
JSON = {"content-type": "application/json"}
JOBS = "/apis/batch/v1/namespaces/default/jobs"
MERGE = {"content-type": "application/merge-patch+json"}


class Server(ApiServer):
    """Whoever has come through TLS may do everything."""

    available = True
    jobs: frozenset[str] = frozenset()
    """Names of Jobs in the namespace default, which kubelab's own server does not serve."""

    def admit(self, request: ApiRequest) -> Call | None:
        headers = {**request.headers, IN_PROCESS_HEADER: ADMIN}
        return super().admit(ApiRequest(request.method, request.path, request.query, headers, request.body))

    async def handle(self, request: ApiRequest) -> ApiResponse:
        if request.path.startswith(JOBS):
            if request.method == "DELETE":
                self.jobs -= {request.path.rpartition("/")[2]}
            items = [{"metadata": {"name": name, "namespace": "default"}} for name in self.jobs]
            return ApiResponse(200, json.dumps({"items": items}).encode(), {})
        answer = await super().handle(request)
        path = request.path
        if answer.status < 300 and request.method == "POST" and path.endswith("/deployments") and self.available:
            name = json.loads(answer.body)["metadata"]["name"]
            status = json.dumps({"status": {"replicas": 1, "availableReplicas": 1}}).encode()
            await super().handle(ApiRequest("PATCH", f"{path}/{name}/status", (), MERGE, status))
        if answer.status < 300 and request.method == "DELETE" and path.rpartition("/")[0] == "/api/v1/namespaces":
            namespace = json.loads((await super().handle(ApiRequest("GET", path, (), JSON))).body)
            namespace["spec"] = {"finalizers": []}
            await super().handle(ApiRequest("PUT", f"{path}/finalize", (), JSON, json.dumps(namespace).encode()))
        return answer


class FakeApi:
    """The server in a thread of its own, from construction to `close`."""

    def __init__(self, folder: Path) -> None:
        state = StateDir(folder)
        state.create()
        self.pki = PKI(state, config.nodes("demo"))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.server: Server = self.do(self._start())  # type: ignore[assignment]
        self.client = Client(InProcessTransport(self.server, ADMIN))
        self.do(self._furnish())

    async def _start(self) -> Server:
        server = Server.open(":memory:", ApiServerSettings())
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self.pki.ca_cert))
        tls.load_cert_chain(self.pki.apiserver_cert, self.pki.apiserver_key)
        tls.verify_mode = ssl.CERT_REQUIRED
        self._serving = await server.serve([listener], tls)
        return server  # type: ignore[return-value]

    async def _furnish(self) -> None:
        await self.client.create(SERVICEACCOUNTS, {"metadata": {"name": "default"}}, "default")
        for name in NODE_NAMES:
            await self.client.create(NODES, {"metadata": {"name": name}})
            ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
            await self.client.patch(NODES, name, ready, subresource="status")

    def do(self, coroutine):
        """Its result, from any thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    def kubeconfig(self) -> str:
        """As kind writes it: everything inside, with a client certificate."""

        def encoded(path: Path) -> str:
            return base64.b64encode(path.read_bytes()).decode()

        user = {
            "client-certificate-data": encoded(self.pki.kubelet_client_cert),
            "client-key-data": encoded(self.pki.kubelet_client_key),
        }
        server = {
            "server": f"https://127.0.0.1:{self.port}",
            "certificate-authority-data": encoded(self.pki.ca_cert),
        }
        return json.dumps({
            "clusters": [{"name": "kind-demo", "cluster": server}],
            "users": [{"name": "kind-demo", "user": user}],
            "contexts": [{"name": "kind-demo", "context": {"cluster": "kind-demo", "user": "kind-demo"}}],
            "current-context": "kind-demo",
        })  # fmt: skip

    def close(self) -> None:
        """Stop it."""

        async def ended() -> None:
            await self._serving.close()
            await self.server.close()

        self.do(ended())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
