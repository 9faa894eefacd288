"""The kubelet API as the API server calls it."""

from __future__ import annotations

import json

import pytest
from aiohttp.test_utils import TestClient, TestServer


@pytest.fixture
async def kubelet(lab):
    async with lab.agent() as agent:
        lab.make()
        await lab.running()
        async with TestClient(TestServer(agent.server.application())) as client:
            yield client


async def test_a_log_is_plain_text_and_refusals_are_too(lab, kubelet):
    lab.network.mains[0].say("one\ntwo\n")
    await lab.settle()
    response = await kubelet.get("/containerLogs/default/web/web", params={"tailLines": "1"})
    assert (response.status, response.content_type, await response.text()) == (200, "text/plain", "two\n")
    assert (await kubelet.get("/containerLogs/default/web/web", params={"tailLines": "x"})).status == 400
    assert (await kubelet.get("/containerLogs/default/none/web")).status == 404


@pytest.mark.parametrize("protocol", ["v4.channel.k8s.io", "v5.channel.k8s.io"])
async def test_a_command_runs_over_a_websocket(lab, kubelet, protocol):
    lab.network.commands["date"] = (2, "today")
    query = "?command=date&command=-u&output=1&error=1"
    async with kubelet.ws_connect(f"/exec/default/web/web{query}", protocols=[protocol]) as socket:
        assert socket.protocol == protocol
        assert (await socket.receive_bytes()) == b"\x01today"
        status = await socket.receive_bytes()
        assert status[0] == 3
        assert json.loads(status[1:])["details"]["causes"][0]["message"] == "2"
    assert lab.network.processes[-1].program.argv == ["date", "-u"]


async def test_a_refusal_after_the_upgrade_is_a_status(lab, kubelet):
    async with kubelet.ws_connect("/exec/default/gone/web?command=ls", protocols=["v4.channel.k8s.io"]) as socket:
        assert json.loads((await socket.receive_bytes())[1:])["reason"] == "NotFound"


async def test_other_protocols_are_refused_with_those_that_there_are(lab, kubelet):
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Protocol": "v1.channel.k8s.io"}
    response = await kubelet.get("/exec/default/web/web?command=ls", headers=headers)
    assert response.status == 400
    assert "WebSocket as v5.channel.k8s.io or v4.channel.k8s.io, or over SPDY/3.1" in await response.text()
    assert (await kubelet.get("/portForward/default/web?port=x", headers=headers)).status == 400
    headers = {"Upgrade": "SPDY/3.1", "Connection": "Upgrade", "X-Stream-Protocol-Version": "channel.k8s.io"}
    response = await kubelet.post("/exec/default/web/web?command=ls", headers=headers)
    assert (response.status, "unable to negotiate" in await response.text()) == (403, True)


async def test_it_is_healthy_and_knows_its_pods(lab, kubelet):
    assert await (await kubelet.get("/healthz")).text() == "ok"
    assert [each["metadata"]["name"] for each in (await (await kubelet.get("/pods")).json())["items"]] == ["web"]
