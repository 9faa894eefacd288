from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from kubelab.engine.client import ApiError, ApiRequest, ApiResponse, Client, InProcessTransport
from kubelab.engine.client.resources import DEPLOYMENTS, NODES, PODS


class Recorder:
    """Answers everything alike and remembers what was asked."""

    def __init__(self, status: int = 200, body: bytes | AsyncIterator[bytes] = b"{}") -> None:
        self._answer = ApiResponse(status, body)
        self.asked: list[ApiRequest] = []

    async def handle(self, request: ApiRequest) -> ApiResponse:
        self.asked.append(request)
        return self._answer


def client(server: Recorder, user: str = "system:test") -> Client:
    return Client(InProcessTransport(server, user))


async def test_urls_are_those_of_the_kubernetes_api():
    server = Recorder()
    api = client(server)
    await api.get(PODS, "web", "shop")
    await api.list(DEPLOYMENTS)
    await api.update(NODES, {"metadata": {"name": "worker"}}, subresource="status")
    await api.create(DEPLOYMENTS, {"metadata": {"name": "web", "namespace": "shop"}})
    assert [f"{each.method} {each.path}" for each in server.asked] == [
        "GET /api/v1/namespaces/shop/pods/web",
        "GET /apis/apps/v1/deployments",
        "PUT /api/v1/nodes/worker/status",
        "POST /apis/apps/v1/namespaces/shop/deployments",
    ]
    assert json.loads(server.asked[-1].body)["kind"] == "Deployment"


async def test_the_user_travels_with_every_request():
    server = Recorder()
    await client(server, "system:kube-scheduler").list(PODS)
    assert server.asked[0].headers["kubelab-in-process-user"] == "system:kube-scheduler"


async def test_a_delete_can_be_bound_to_a_uid_a_grace_period_and_a_propagation():
    server = Recorder()
    await client(server).delete(PODS, "web", "shop", grace_seconds=0, uid="u", propagation="Foreground")
    assert json.loads(server.asked[0].body) == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "u"},
        "propagationPolicy": "Foreground",
    }


@pytest.mark.parametrize(
    ("body", "reason", "message"),
    [
        (b'{"kind":"Status","code":404,"reason":"NotFound","message":"no pod x"}', "NotFound", "no pod x"),
        (b"<html>502</html>", "Unknown", "<html>502</html>"),
    ],
)  # fmt: skip
async def test_a_refusal_is_an_error_that_carries_the_status(body, reason, message):
    with pytest.raises(ApiError) as caught:
        await client(Recorder(404, body)).get(PODS, "x", "default")
    assert (caught.value.code, caught.value.reason, caught.value.message) == (404, reason, message)


async def test_a_refused_watch_raises_like_any_request():
    body = b'{"kind":"Status","code":410,"reason":"Expired","message":"too old"}'
    with pytest.raises(ApiError, match="Expired"):
        async for _ in client(Recorder(410, body)).watch(PODS, resource_version="1"):
            pass


async def test_lines_may_come_in_any_chunks_and_the_stream_is_closed_after_an_error_event():
    closed = []

    async def chunks() -> AsyncIterator[bytes]:
        try:
            yield b'{"type":"ADDED","obj'
            yield b'ect":{"a":1}}\n{"type":"ERROR","object":{"code":410,"rea'
            yield b'son":"Expired"}}\n'
            yield b'{"type":"ADDED","object":{}}\n'
        finally:
            closed.append(True)

    seen = []
    with pytest.raises(ApiError, match="Expired"):
        async for event in client(Recorder(200, chunks())).watch(PODS, resource_version="1"):
            seen.append(event)
    assert seen == [("ADDED", {"a": 1})]
    assert closed == [True]
