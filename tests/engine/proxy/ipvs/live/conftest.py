"""Nodes and three pods in namespaces, two of the nodes with mode ipvs evaluated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubelab.engine import config
from kubelab.engine.metrics import Metrics
from kubelab.engine.network.contract import Finished, Place, node, pod
from kubelab.engine.network.remote import AgentNetwork
from kubelab.engine.network.start import NoNetwork, start_network
from kubelab.engine.proxy.backend import Setting
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.endpoints import NodeView
from kubelab.engine.proxy.ipvs.backend import IpvsBackend
from kubelab.engine.proxy.jumps import Owned
from kubelab.engine.proxy.state import ProxyState
from tests.engine.network.conftest import Lab

SPECS = config.nodes()
WORKER, OTHER = SPECS[1], SPECS[2]
PODS = {"a": WORKER, "b": WORKER, "c": OTHER}


class Scene:
    """What the tests do to it."""

    def __init__(self, lab: Lab, make: Any) -> None:
        self.lab, self._make = lab, make
        self.ips: dict[str, str] = {}
        self.now = 0.0
        self.backends = {spec.name: self._backend(spec) for spec in (WORKER, OTHER)}
        self._tasks: list[asyncio.Task[None]] = []

    def _backend(self, spec: config.NodeSpec) -> IpvsBackend:
        async def run(argv, stdin) -> Finished:
            return await self.lab.network.run(node(spec.name), argv, stdin=stdin)

        settings = ProxyConfig(cluster_cidr=str(config.POD_CIDR))
        return IpvsBackend(Setting(run, settings, 4, Metrics({}), now=lambda: self.now))

    async def set_up(self) -> None:
        for number, (name, spec) in enumerate(PODS.items(), 2):
            self.ips[name] = await self.lab.pod(name, spec, number)
            self._tasks.append(await self.lab.answer(pod(name), self.ips[name], 80, name))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def serve(self, *endpoints: str, protocol: str = "TCP", **spec: Any) -> None:
        """One Service, 10.96.0.1, with these pods behind it, on both nodes."""
        service = self._make.service("web", "10.96.0.1", protocol=protocol, **spec)
        await self.sync([service], [self.slice(*endpoints, protocol=protocol)])

    def slice(self, *endpoints: str, protocol: str = "TCP") -> dict[str, Any]:
        known = [self._make.endpoint(self.ips[name], node=PODS[name].name) for name in endpoints]
        return self._make.slice("web", *known, protocol=protocol)

    async def sync(self, services: list[dict[str, Any]], slices: list[dict[str, Any]]) -> None:
        for spec in (WORKER, OTHER):
            view = NodeView(spec.name, (spec.ip,))
            await self.backends[spec.name].sync(ProxyState.of(view, services, slices), None)

    async def ask(self, source: Place, address: str = "10.96.0.1:80", times: int = 1, seconds: float = 5) -> list[str]:
        """Who answers, and the client as it saw it; or the error's name."""
        ip, _, port = address.partition(":")
        return [await self._ask(source, ip, int(port), seconds) for _ in range(times)]

    async def _ask(self, source: Place, ip: str, port: int, seconds: float) -> str:
        try:
            connection = await self.lab.network.connect(source, ip, port, timeout_seconds=seconds)
        except OSError as error:
            return type(error).__name__
        with connection:
            return (await asyncio.get_running_loop().sock_recv(connection, 100)).decode()

    async def names(self, source: Place, address: str = "10.96.0.1:80", times: int = 1) -> list[str]:
        """Who answers."""
        return [said.split()[0] for said in await self.ask(source, address, times)]

    async def tool(self, *argv: str, at: str = WORKER.name) -> str:
        """What a tool of the mode prints in a node."""
        answer = await self.backends[at].answer(argv)
        assert answer is not None and answer.code == 0, answer
        return answer.stdout.decode()

    async def clean_up(self) -> None:
        for backend in self.backends.values():
            await backend.clean_up(Owned())


@pytest.fixture(params=[("root", "user")])
async def network(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AgentNetwork]:
    """Three nodes, on the first of the tiers that works here."""
    refused = ""
    for tier in request.param:
        try:
            started = await start_network(tmp_path, tier)
        except NoNetwork as error:
            refused = str(error)
            continue
        try:
            for spec in SPECS:
                await started.add_node(spec)
            yield started
        finally:
            await started.close()
        return
    pytest.skip(refused)


@pytest.fixture
async def scene(network, make) -> AsyncIterator[Scene]:
    made = Scene(Lab(network), make)
    try:
        await made.set_up()
        yield made
    finally:
        await made.close()
