"""What is loaded on the nodes, as policies come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from kubelab.engine.apiserver import ApiServer, ApiServerSettings
from kubelab.engine.client import Client, InProcessTransport
from kubelab.engine.client.resources import NETWORKPOLICIES, PODS, SERVICEACCOUNTS
from kubelab.engine.network.contract import Finished
from kubelab.engine.policy import NetworkPolicies

SECONDS = 20


@pytest.fixture
async def api() -> AsyncIterator[Client]:
    """An API server with a pod that has an address."""
    server = ApiServer.open(":memory:", ApiServerSettings())
    client = Client(InProcessTransport(server, "kubernetes-admin"))
    await client.create(SERVICEACCOUNTS, {"metadata": {"name": "default", "namespace": "default"}}, "default")
    containers = [{"name": "c", "image": "agnhost"}]
    pod = {"metadata": {"name": "web", "namespace": "default"}, "spec": {"nodeName": "n", "containers": containers}}
    made = await client.create(PODS, pod, "default")
    await client.update(PODS, {**made, "status": {"phase": "Running", "podIP": "10.0.0.1"}}, subresource="status")
    yield client
    await client.close()
    await server.close()


def policy(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"podSelector": {}}}


async def test_a_policy_that_comes_while_the_last_one_is_taken_away_is_enforced(api: Client) -> None:
    loaded: asyncio.Queue[str] = asyncio.Queue()

    async def run(node: str, argv: Sequence[str], stdin: bytes) -> Finished:
        script = stdin.decode()
        if "chain" not in script:  # nobody is isolated: the first policy has gone
            await api.create(NETWORKPOLICIES, policy("second"), "default")
            await known.wait()
        loaded.put_nowait(script)
        return Finished(0, "", "")

    policies, known = NetworkPolicies(api, ["n"], run), asyncio.Event()
    policies._policies.listen(lambda old, new: known.set() if new and new["metadata"]["name"] == "second" else None)
    running = asyncio.create_task(policies.run())
    try:
        async with asyncio.timeout(SECONDS):
            await api.create(NETWORKPOLICIES, policy("first"), "default")
            assert "default/first" in await loaded.get()
            await api.delete(NETWORKPOLICIES, "first", "default")
            assert "chain" not in await loaded.get()
            assert "default/second" in await loaded.get()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
