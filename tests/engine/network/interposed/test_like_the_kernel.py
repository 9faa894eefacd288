"""The same questions to a kernel's rules and to those that are evaluated: every mode, every kind of Service."""

from __future__ import annotations

import asyncio
import errno
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubelab.engine.config import nodes
from kubelab.engine.metrics import Metrics
from kubelab.engine.network.contract import OUTSIDE, Network, Place, node, pod
from kubelab.engine.network.start import NoNetwork, start_network
from kubelab.engine.proxy.backend import Setting
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.endpoints import NodeView
from kubelab.engine.proxy.modes import BACKENDS
from kubelab.engine.proxy.state import ProxyState
from kubelab.engine.proxy.tool import Run
from tests.engine.network.conftest import Lab
from tests.engine.proxy.conftest import endpoint, endpointslice, service

CONTROL_PLANE, WORKER, WORKER2 = nodes()
A, B = "10.244.1.2", "10.244.2.2"

SERVICES = [
    service("both", "10.96.0.20", node_port=30080, type="NodePort"),
    service("sticky", "10.96.0.22", sessionAffinity="ClientIP",
            sessionAffinityConfig={"clientIP": {"timeoutSeconds": 10800}}),
    service("nobody", "10.96.0.23", node_port=30083, type="NodePort"),
    service("outer", "10.96.0.25", node_port=30081, type="NodePort", externalTrafficPolicy="Local"),
    service("inner", "10.96.0.26", internalTrafficPolicy="Local"),
    service("single", "10.96.0.27"),
    service("balanced", "10.96.0.29", type="LoadBalancer", vips=("172.18.255.8",), node_port=30085),
    service("limited", "10.96.0.28", type="LoadBalancer", vips=("172.18.255.9",), node_port=30084,
            loadBalancerSourceRanges=["10.244.0.0/24"]),
]  # fmt: skip
SLICES = [
    endpointslice("both", endpoint(A, node=WORKER.name), endpoint(B, node=WORKER2.name), port=8080),
    endpointslice("sticky", endpoint(A, node=WORKER.name), endpoint(B, node=WORKER2.name), port=8080),
    *(endpointslice(name, endpoint(A, node=WORKER.name), port=8080)
      for name in ("outer", "inner", "single", "balanced", "limited")),
]  # fmt: skip

CLUSTER_IPS = [("10.96.0.20", 80), ("10.96.0.23", 80), ("10.96.0.25", 80), ("10.96.0.26", 80), ("10.96.0.27", 80)]
NODE_PORTS = [(spec.ip, port) for spec in (WORKER, WORKER2) for port in (30080, 30081, 30083)]
ODD = [("10.96.0.20", 81), ("10.96.7.7", 80), ("172.18.0.3", 31999), ("172.18.255.9", 80)]
QUESTIONS = {
    pod("client"): [*CLUSTER_IPS, *NODE_PORTS, *ODD],
    pod("a"): [*CLUSTER_IPS, *NODE_PORTS, ("172.18.255.9", 80)],
    node(WORKER.name): [*CLUSTER_IPS, *NODE_PORTS, ("127.0.0.1", 30080), ("127.0.0.1", 30081), ("10.96.0.20", 81)],
    node(CONTROL_PLANE.name): [*CLUSTER_IPS, *NODE_PORTS],
    OUTSIDE: [*NODE_PORTS, ("10.96.0.20", 80), ("172.18.255.8", 80), ("172.18.255.9", 80)],
}
ASKED = 16
"""How often each question with an answer is asked: all of two endpoints answer but for one time in 32,768."""
PATIENCE_SECONDS = 2.0


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[list[Lab]]:
    """A network in the kernel and an evaluated one, alike."""
    started: list[Network] = []
    try:
        for tiers, folder in ((("root", "user"), tmp_path / "kernel"), (("interposed",), tmp_path / "evaluated")):
            await asyncio.to_thread(folder.mkdir)
            started.append(await _first(folder, tiers))
        labs = [Lab(network) for network in started]
        servers = [server for lab in labs for server in await _furnish(lab)]
        yield labs
        for server in servers:
            server.cancel()
    finally:
        for network in started:
            await network.close()


async def _first(folder: Path, tiers: tuple[str, ...]) -> Network:
    reasons = []
    for tier in tiers:
        try:
            return await start_network(folder, tier)
        except NoNetwork as refused:
            reasons.append(str(refused))
    pytest.skip("; ".join(reasons))


async def _furnish(lab: Lab) -> list[asyncio.Task[None]]:
    for spec in nodes():
        await lab.network.add_node(spec)
    await lab.network.balance({ip: [WORKER.name, WORKER2.name] for ip in ("172.18.255.8", "172.18.255.9")})
    for uid, spec in (("client", CONTROL_PLANE), ("a", WORKER), ("b", WORKER2)):
        await lab.pod(uid, spec)
    return [await lab.answer(pod("a"), A, 8080, "a"), await lab.answer(pod("b"), B, 8080, "b")]


def _running(lab: Lab, place: Place) -> Run:
    return lambda argv, stdin: lab.network.run(place, argv, stdin=stdin)


async def _load(lab: Lab, mode: str) -> None:
    config = ProxyConfig(cluster_cidr="10.244.0.0/16")
    for spec in nodes():
        backend = BACKENDS[mode](Setting(_running(lab, node(spec.name)), config, 4, Metrics({})))
        await backend.sync(ProxyState.of(NodeView(spec.name, (spec.ip,), ""), SERVICES, SLICES), None)


async def _answer(lab: Lab, source: Place, ip: str, port: int) -> str:
    try:
        with await lab.network.connect(source, ip, port, timeout_seconds=PATIENCE_SECONDS) as connection:
            return _in_the_cluster((await asyncio.get_running_loop().sock_recv(connection, 100)).decode())
    except TimeoutError:
        return "silence"
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def _in_the_cluster(said: str) -> str:
    """A server of these tests stands in no place: what a program in one would be shown for its client's address."""
    name, address = said.split()
    if found := re.fullmatch(r"127\.(\d+)\.(\d+)\.(\d+)", address):
        first, third, last = map(int, found.groups())
        outer = f"172.18.0.{last}" if third == 255 else f"10.244.{third}.{last}"
        address = "127.0.0.1" if first % 2 or not first else outer
    return f"{name} {address}"


async def _all_answers(lab: Lab, source: Place, ip: str, port: int) -> tuple[str, ...]:
    first = await _answer(lab, source, ip, port)
    more = [await _answer(lab, source, ip, port) for _ in range(ASKED - 1)] if " " in first else []
    return tuple(sorted({first, *more}))


async def _everything(lab: Lab) -> dict[str, tuple[str, ...]]:
    asked = [(source, *target) for source, targets in QUESTIONS.items() for target in targets]
    answers = await asyncio.gather(*(_all_answers(lab, *each) for each in asked))
    return {f"{source} → {ip}:{port}": said for (source, ip, port), said in zip(asked, answers, strict=True)}


@pytest.mark.parametrize("mode", ["iptables", "nftables", "ipvs"])
async def test_connections_end_where_the_kernel_sends_them_and_servers_see_the_same_client(two, mode):
    for lab in two:
        await _load(lab, mode)
    kernel, evaluated = await asyncio.gather(*map(_everything, two))
    assert evaluated == kernel
    assert len({said for answers in kernel.values() for said in answers}) > 8


@pytest.mark.parametrize("mode", ["iptables", "nftables", "ipvs"])
async def test_session_affinity_keeps_a_client_with_its_endpoint(two, mode):
    for lab in two:
        await _load(lab, mode)
        for source in (pod("client"), pod("a"), node(WORKER.name)):
            assert len(await _all_answers(lab, source, "10.96.0.22", 80)) == 1
