from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kubelab.engine.apiserver import ApiServer, ApiServerSettings
from kubelab.engine.client import ApiRequest, ApiResponse, Client, InProcessTransport
from kubelab.engine.client.resources import SERVICEACCOUNTS
from tests.engine.apiserver import network

TOKEN = "a-token"


class Clock:
    """Time that stands still until a test moves it, or sets it (``seconds`` alone)."""

    def __init__(self) -> None:
        self.seconds = 1_780_000_000.0
        self._passed = 0.0

    def __call__(self) -> float:
        return self.seconds

    def steady(self) -> float:
        return self._passed

    def forward(self, seconds: float) -> None:
        self.seconds += seconds
        self._passed += seconds


@dataclass
class Answer:
    code: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


class Api:
    """Requests with a token, as a client on the network would send them, without the network."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server

    async def send(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json", **headers: str
    ) -> Answer:
        response = await self.open(method, path, body, content_type, **headers)
        assert isinstance(response.body, bytes)
        return Answer(response.status, response.headers, response.body)

    async def open(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json", **headers: str
    ) -> ApiResponse:
        path, _, query = path.partition("?")
        pairs = [tuple(part.partition("=")[::2]) for part in query.split("&") if part]
        payload = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {"authorization": f"Bearer {TOKEN}", "content-type": content_type}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        return await self.server.handle(ApiRequest(method, path, pairs, sent, payload))  # type: ignore[arg-type]

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.send("GET", path, **headers)

    async def post(self, path: str, body: Any, **headers: str) -> Answer:
        return await self.send("POST", path, body, **headers)

    async def put(self, path: str, body: Any, **headers: str) -> Answer:
        return await self.send("PUT", path, body, **headers)

    async def delete(self, path: str, body: Any = None, **headers: str) -> Answer:
        return await self.send("DELETE", path, body, **headers)

    async def patch(self, path: str, body: Any, kind: str = "merge", **headers: str) -> Answer:
        media = {
            "merge": "application/merge-patch+json",
            "json": "application/json-patch+json",
            "strategic": "application/strategic-merge-patch+json",
            "apply": "application/apply-patch+yaml",
        }[kind]
        return await self.send("PATCH", path, body, media, **headers)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def tls_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds ca.crt and key.pem."""
    folder = tmp_path_factory.mktemp("tls")
    network.certificate(folder)
    return folder


@pytest.fixture
async def server(clock: Clock, tls_folder: Path) -> AsyncIterator[ApiServer]:
    kubelets = ssl.create_default_context(cafile=str(tls_folder / "ca.crt"))
    settings = ApiServerSettings(
        tokens={TOKEN: "kubernetes-admin"}, clock=clock, steady=clock.steady, kubelet_tls=kubelets
    )
    server = ApiServer.open(":memory:", settings)
    client = Client(InProcessTransport(server, "kubernetes-admin"))
    await client.create(SERVICEACCOUNTS, {"metadata": {"name": "default"}}, "default")
    yield server
    await server.close()


@pytest.fixture
def client(server: ApiServer) -> Client:
    return Client(InProcessTransport(server, "kubernetes-admin"))


@pytest.fixture
def api(server: ApiServer) -> Api:
    return Api(server)


@pytest.fixture
async def https(server: ApiServer, tls_folder: Path) -> AsyncIterator[int]:
    """The port on which the server answers."""
    sock = network.loopback()
    serving = await server.serve([sock], network.server_tls(tls_folder))
    yield sock.getsockname()[1]
    await serving.close()


@pytest.fixture
def kubeconfig_path(https: int, tls_folder: Path, tmp_path: Path) -> Path:
    return network.kubeconfig(tls_folder, tmp_path, https)


@pytest.fixture
def kubectl(kubeconfig_path: Path, tmp_path: Path) -> network.Kubectl:
    return network.Kubectl(kubeconfig_path, tmp_path)


@pytest.fixture
def api_of() -> type[Api]:
    """Requests to another server than the fixture's."""
    return Api


def pod(name: str = "web", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "main", "image": "registry/app:1"}], **spec}}


def service(name: str = "web", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], "selector": {"app": "web"}, **spec}}


def deployment(name: str = "web", **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": name}}, "spec": pod()["spec"]}
    return {
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template, **spec},
    }


@pytest.fixture
def make() -> Any:
    """Minimal objects: ``make.pod("a", nodeName="n")``, ``make.service(...)``, ``make.deployment(...)``."""

    class Make:
        pod = staticmethod(pod)
        service = staticmethod(service)
        deployment = staticmethod(deployment)

    return Make


def causes(answer: Answer) -> list[tuple[str, str]]:
    """(field, reason without its FieldValue prefix) of an Invalid answer."""
    assert answer.code == 422, answer.raw
    return [(cause["field"], cause["reason"].removeprefix("FieldValue")) for cause in answer.body["details"]["causes"]]


@pytest.fixture
def why() -> Any:
    return causes
