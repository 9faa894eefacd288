from __future__ import annotations

import asyncio
import signal

import pytest

from kubelab.engine.node import grpc

HTTP = {"httpGet": {"path": "/healthz", "port": "http"}}
PORTS = [{"name": "http", "containerPort": 8080}]
AT = ("10.244.1.2", 8080)


async def test_a_pod_is_ready_as_soon_as_its_port_is_open(lab):
    async with lab.agent():
        lab.make(container={"ports": PORTS, "readinessProbe": HTTP})
        await lab.running()
        await lab.clock.advance(0.05)
        assert lab.api.condition("Ready")["reason"] == "ContainersNotReady"
        lab.network.answer(*AT)
        await lab.clock.advance(0.2)
        await lab.ready()
        assert not [reason for reason, _ in lab.api.events() if reason == "Unhealthy"]


async def test_a_port_that_stays_closed_fails_the_probe_after_a_second_and_then_every_period(lab):
    async with lab.agent():
        lab.make(container={"ports": PORTS, "readinessProbe": {**HTTP, "periodSeconds": 5}})
        await lab.running()
        await lab.clock.advance(1.2)
        message = 'Readiness probe failed: Get "http://10.244.1.2:8080/healthz": '
        message += "dial tcp 10.244.1.2:8080: connect: connection refused"
        await lab.eventually(lambda: ("Unhealthy", message) in lab.api.events())
        lab.network.answer(*AT)
        await lab.clock.advance(3)
        assert lab.api.condition("Ready")["status"] == "False"
        await lab.clock.advance(1)
        await lab.ready()


async def test_readiness_needs_three_failures_to_go_and_keeps_the_container(lab):
    async with lab.agent():
        lab.make(container={"ports": PORTS, "readinessProbe": HTTP})
        await lab.running()
        lab.network.answer(*AT)
        await lab.clock.advance(0.2)
        await lab.ready()
        lab.network.answer(*AT, code=503)
        await lab.clock.advance(29)
        assert lab.api.condition("Ready")["status"] == "True"
        await lab.clock.advance(2)
        await lab.eventually(lambda: lab.api.condition("Ready")["status"] == "False")
        message = "Readiness probe failed: HTTP probe failed with statuscode: 503"
        assert ("Unhealthy", message) in lab.api.events()
        assert lab.network.mains[0].signals == []


async def test_a_redirect_is_a_success(lab):
    async with lab.agent():
        lab.make(container={"ports": PORTS, "readinessProbe": HTTP})
        await lab.running()
        lab.network.answer(*AT, code=302)
        await lab.clock.advance(0.2)
        await lab.ready()


async def test_a_failed_liveness_probe_restarts_the_container(lab):
    async with lab.agent():
        probe = {"exec": {"command": ["check"]}, "periodSeconds": 1, "failureThreshold": 2}
        lab.network.commands["check"] = (1, "no good\n")
        lab.make(container={"livenessProbe": probe})
        await lab.running()
        await lab.clock.advance(2)
        await lab.eventually(lambda: lab.api.container()["restartCount"] >= 1)
        assert lab.network.mains[0].signals == [signal.SIGTERM]
        await lab.eventually(
            lambda: ("Killing", "Container web failed liveness probe, will be restarted") in lab.api.events()
        )
        assert ("Unhealthy", "Liveness probe failed: no good\n") in lab.api.events()


async def test_nothing_else_is_probed_before_the_startup_probe_has_succeeded(lab):
    async with lab.agent():
        startup = {"tcpSocket": {"port": 9000}, "periodSeconds": 1, "failureThreshold": 30}
        lab.make(container={"ports": PORTS, "readinessProbe": HTTP, "startupProbe": startup})
        lab.network.answer(*AT)
        await lab.running()
        await lab.clock.advance(10)
        assert (lab.api.container()["started"], lab.api.container()["ready"]) == (False, False)
        lab.network.answer("10.244.1.2", 9000)
        await lab.clock.advance(1)
        await lab.ready()
        assert lab.api.container()["started"] is True


async def test_an_initial_delay_is_kept(lab):
    async with lab.agent():
        lab.make(container={"ports": PORTS, "readinessProbe": {**HTTP, "initialDelaySeconds": 7}})
        lab.network.answer(*AT)
        await lab.running()
        await lab.clock.advance(6)
        assert lab.api.condition("Ready")["status"] == "False"
        await lab.clock.advance(1)
        await lab.ready()


@pytest.mark.parametrize(("status", "ready"), [(1, True), (2, False)])
async def test_a_grpc_probe_asks_the_health_service(lab, status, ready):
    body = grpc.frame(grpc.DATA, 0, 1, b"\0\0\0\0\x02\x08" + bytes([status]))
    end = grpc.frame(grpc.HEADERS, grpc.END_STREAM | grpc.END_HEADERS, 1, b"\x88")
    async with lab.agent():
        lab.network.answers["10.244.1.2", 9000] = grpc.frame(grpc.SETTINGS, 0, 0) + body + end
        lab.make(container={"readinessProbe": {"grpc": {"port": 9000, "service": "shop"}}})
        peer = await lab.network.peer(0)
        await lab.settle()
        asked = await asyncio.get_running_loop().sock_recv(peer, 4096)
        assert asked.startswith(grpc.PREFACE)
        assert b"/grpc.health.v1.Health/Check" in asked
        assert b"\x0a\x04shop" in asked
        if ready:
            await lab.ready()
        else:
            message = 'Readiness probe failed: service unhealthy (responded with "NOT_SERVING")'
            await lab.eventually(lambda: ("Unhealthy", message) in lab.api.events())


async def test_a_server_without_the_health_service_fails_the_grpc_probe(lab):
    async with lab.agent():
        trailers = grpc.frame(grpc.HEADERS, grpc.END_STREAM | grpc.END_HEADERS, 1, b"\x88")
        lab.network.answers["10.244.1.2", 9000] = trailers
        lab.make(container={"readinessProbe": {"grpc": {"port": 9000}}})
        words = "this server does not implement the grpc health protocol (grpc.health.v1.Health)"
        message = f"Readiness probe failed: error: {words}"
        await lab.eventually(lambda: ("Unhealthy", message) in lab.api.events())


async def test_a_probe_that_cannot_be_tried_neither_fails_nor_passes(lab):
    async with lab.agent():
        lab.network.missing.add("nonsense")
        lab.make(container={"livenessProbe": {"exec": {"command": ["nonsense"]}, "periodSeconds": 1}})
        process = await lab.running()
        for _ in range(5):
            await lab.clock.advance(1)
        message = (
            "Liveness probe errored and resulted in unknown state: failed to exec in container: "
            'exec: "nonsense": executable file not found in $PATH'
        )
        await lab.eventually(lambda: ("Unhealthy", message) in lab.api.events())
        assert process.signals == []


async def test_a_redirect_is_followed_on_the_same_host_only(lab):
    async with lab.agent():
        head = "HTTP/1.1 302 Found\r\nLocation: %s\r\n\r\n"
        lab.network.answers["10.244.1.2", 80] = (head % "http://10.244.1.2:81/login").encode()
        lab.network.answer("10.244.1.2", 81, 500)
        lab.network.answers["10.244.1.2", 82] = (head % "http://example.com/").encode()
        lab.make(container={"readinessProbe": {"httpGet": {"port": 80}}})
        lab.make("away", container={"readinessProbe": {"httpGet": {"port": 82, "host": "10.244.1.2"}}})
        message = "Readiness probe failed: HTTP probe failed with statuscode: 500"
        await lab.eventually(lambda: ("Unhealthy", message) in lab.api.events())
        await lab.ready("away")
