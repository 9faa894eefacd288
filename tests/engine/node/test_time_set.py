"""The machine's time is set, an hour ahead or back, while pods live: what takes ten seconds takes ten seconds."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from kubelab.engine.node.clock import stamp
from kubelab.engine.node.sources import Sources, Token

TERM, KILL = signal.SIGTERM, signal.SIGKILL
PORTS = [{"name": "http", "containerPort": 8080}]
PROBE = {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 10}
AT = ("10.244.1.2", 8080)


@pytest.fixture(params=[3600, -3600], ids=["ahead", "back"])
def set_time(request, lab):
    """Sets the time."""

    def act() -> None:
        lab.clock.time += timedelta(seconds=request.param)

    return act


async def test_a_pod_has_its_whole_grace_period_and_no_more(lab, set_time):
    async with lab.agent():
        lab.network.ignores = {TERM}
        lab.make()
        process = await lab.running()
        lab.api.delete_gracefully()
        await lab.clock.advance(10)
        set_time()
        await lab.clock.advance(19)
        assert process.signals == [TERM]
        await lab.clock.advance(2)
        assert process.signals == [TERM, KILL]


async def test_a_pod_stays_ready_and_is_probed_as_often_as_before(lab, set_time):
    async with lab.agent():
        lab.network.answer(*AT)
        lab.make(container={"ports": PORTS, "readinessProbe": PROBE, "livenessProbe": PROBE})
        await lab.running()
        await lab.clock.advance(1)
        await lab.ready()
        set_time()
        await lab.clock.advance(60)
        assert lab.api.condition("Ready")["status"] == "True"
        assert lab.network.mains[0].signals == []
        lab.network.answer(*AT, code=503)
        await lab.clock.advance(19)
        assert lab.api.condition("Ready")["status"] == "True"
        await lab.clock.advance(12)
        await lab.eventually(lambda: lab.api.condition("Ready")["status"] == "False")


async def test_a_crash_loop_waits_as_long_as_it_says(lab, set_time):
    async with lab.agent():
        lab.make()
        (await lab.running()).exit(1)
        await lab.eventually(lambda: lab.api.container().get("restartCount") == 1)
        set_time()
        lab.network.mains[-1].exit(1)
        await lab.eventually(
            lambda: "back-off 10s" in lab.api.container()["state"].get("waiting", {}).get("message", "")
        )
        set_time()
        await lab.clock.advance(9)
        assert len(lab.network.mains) == 2
        await lab.clock.advance(1)
        await lab.eventually(lambda: len(lab.network.mains) == 3)


async def test_a_node_renews_its_lease_and_tells_its_status_every_five_minutes(lab, set_time):
    def writes(what: str) -> int:
        return sum(path == what for path, _ in lab.api.patches)

    async with lab.agent():
        await lab.clock.advance(30)
        leases, statuses = writes("leases/lab-worker"), writes("nodes/lab-worker")
        set_time()
        await lab.clock.advance(30)
        assert writes("leases/lab-worker") == leases + 3
        assert writes("nodes/lab-worker") == statuses
        await lab.clock.advance(250)
        assert writes("nodes/lab-worker") == statuses + 1


async def test_a_pods_token_is_new_within_a_minute_as_the_api_would_refuse_the_old_one(lab, set_time, monkeypatch):
    async def one_of_now(_sources, pod, audience, seconds):
        await asyncio.sleep(0)
        return Token(f"of {stamp(lab.clock.time)}", stamp(lab.clock.time + timedelta(seconds=seconds)))

    monkeypatch.setattr(Sources, "token", one_of_now)
    async with lab.agent():
        lab.make(
            container={"volumeMounts": [{"name": "access", "mountPath": "/access"}]},
            volumes=[{"name": "access", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}],
        )
        await lab.running()
        [folder] = [mount.source for mount in lab.network.mains[0].program.mounts if mount.target == "/access"]
        token = Path(folder) / "token"
        await lab.clock.advance(1800)
        assert token.read_text() == "of 2026-11-23T12:00:00Z"
        set_time()
        at = lab.clock.time
        await lab.clock.advance(60)
        assert stamp(at)[:13] in token.read_text()
        known = token.read_text()
        await lab.clock.advance(1800)
        assert token.read_text() == known
