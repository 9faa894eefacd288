"""One generation of the cluster's network with all that stands on it: node agents, kube-proxies, the API's address.

When the network agent dies it takes every namespace and every pod along. The objects live on in the store, so a new
generation is built from them: the same addresses, the pods' containers restarted.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from kubelab.engine import config
from kubelab.engine.balancer import LoadBalancer
from kubelab.engine.client import Client, Line
from kubelab.engine.config import NodeSpec
from kubelab.engine.controlplane import Served
from kubelab.engine.network.contract import Finished, Network, Place, node
from kubelab.engine.node import NodeAgent, NodeSettings
from kubelab.engine.options import ProxyMode
from kubelab.engine.policy import NetworkPolicies
from kubelab.engine.policy import manifests as policy
from kubelab.engine.proxy import KubeProxy, ProxyConfig

log = logging.getLogger(__name__)

PROXY_CONFIG = ProxyConfig(
    cluster_cidr=str(config.POD_CIDR), service_cidrs=(str(config.SERVICE_CIDR),), min_sync_period=0.1
)
"""As kind configures kube-proxy, but for the minimum between two syncs (kind: 1 s): three nodes and a lesson's few
Services cost nothing, and a learner should not have to wait to see what an edit did."""

NOTICE_SECONDS = 1.0
"""The agent's death is known everywhere in less."""

ClientFor = Callable[[str], Client]
ServeApi = Callable[[socket.socket], Awaitable[Served]]


class PartStopped(Exception):
    """A node agent or a kube-proxy has ended although nobody told it to. The message says which, and why."""


class World:
    """Node agents and kube-proxies on one network, from ``run`` until the network is lost."""

    def __init__(
        self,
        network: Network,
        specs: Sequence[NodeSpec],
        *,
        client_for: ClientFor,
        serve_api: ServeApi,
        kubelet_tls: ssl.SSLContext,
        state: Path,
        proxy_mode: ProxyMode = "iptables",
    ) -> None:
        self.network = network
        self._specs = specs
        self._client_for = client_for
        self._serve_api = serve_api
        self._kubelet_tls = kubelet_tls
        self._state = state
        self._lines = {spec.name: Line() for spec in specs}
        self.proxies = [self._proxy(spec, proxy_mode) for spec in specs]

    async def run(self) -> None:
        """Build, and live until the network is lost or this is cancelled; then stop every part.

        Raises `PartStopped`, and `NetworkLost` when the network goes while the nodes are being made.
        """
        # The network closes before the API's address in it: pods' connections end with their pods.
        async with AsyncExitStack() as address, AsyncExitStack() as stack:
            stack.push_async_callback(self.network.close)
            for spec in self._specs:
                await self.network.add_node(spec)
            address.push_async_callback((await self._serve_api(await self._listen_for_api())).close)
            lost = asyncio.create_task(self.network.lost())
            parts = [_part("kube-proxy", proxy.node_name, proxy.run()) for proxy in self.proxies]
            parts += [_part("the node agent", spec.name, self._agent(spec).run()) for spec in self._specs]
            balancer = LoadBalancer(self._client_for("system:cloud-controller-manager"), self.network)
            parts.append(_part("the load balancer", "the outside", balancer.run()))
            parts.append(_part("network policy", "all nodes", self._policies().run()))
            stack.push_async_callback(_stop, [lost, *parts])
            done, _ = await asyncio.wait([lost, *parts], return_when=asyncio.FIRST_COMPLETED)
            # A part may notice before anybody else that the network has gone.
            await asyncio.wait([lost], timeout=NOTICE_SECONDS)
            if not lost.done():
                raise _stopped(done.pop())

    async def switch(self, mode: ProxyMode) -> None:
        """Let all nodes' kube-proxies serve by another mode. Raises `LoadError`: then no node has changed.

        Raises `NetworkLost` too.
        """
        before = [proxy.mode for proxy in self.proxies]
        done = await asyncio.gather(*(proxy.switch(mode) for proxy in self.proxies), return_exceptions=True)
        failures = [each for each in done if isinstance(each, BaseException)]
        if failures:
            back = (proxy.switch(was) for proxy, was in zip(self.proxies, before, strict=True))
            await asyncio.gather(*back, return_exceptions=True)
            raise failures[0]

    def cut(self, name: str) -> None:
        """Take the way to the API from a node's agent and kube-proxy; its packets go on. Raises KeyError."""
        self._lines[name].cut()

    def mend(self, name: str) -> None:
        """Give it back. Raises KeyError."""
        self._lines[name].mend()

    @property
    def cut_off(self) -> list[str]:
        """The nodes whose way is cut. A new world has none."""
        return [name for name, line in self._lines.items() if line.is_cut]

    async def answer(self, place: Place, argv: Sequence[str]) -> Finished | None:
        """What a tool prints that a node's kube-proxy answers for, since the kernel cannot; None: run it."""
        proxy = next((each for each in self.proxies if place == node(each.node_name)), None)
        done = await proxy.answer(argv) if proxy else None
        return Finished(done.code, done.stdout, done.stderr) if done else None

    async def _listen_for_api(self) -> socket.socket:
        """On the control plane's address, where the Service ``kubernetes`` leads."""
        spec = next(spec for spec in self._specs if spec.control_plane)
        return await self.network.listen(node(spec.name), spec.ip, config.API_PORT)

    def _agent(self, spec: NodeSpec) -> NodeAgent:
        line = self._lines[spec.name]
        settings = NodeSettings(self._state, self._kubelet_tls, reached=lambda: not line.is_cut)
        client = line.client(self._client_for(f"system:node:{spec.name}"))
        return NodeAgent(client, self.network, spec, settings)

    def _policies(self) -> NetworkPolicies:
        async def run(name: str, argv: Sequence[str], stdin: bytes) -> Finished:
            return await self.network.run(node(name), argv, stdin=stdin)

        return NetworkPolicies(self._client_for(policy.USER), [spec.name for spec in self._specs], run)

    def _proxy(self, spec: NodeSpec, mode: ProxyMode) -> KubeProxy:
        here = node(spec.name)

        async def run(argv: Sequence[str], stdin: bytes = b"") -> Finished:
            return await self.network.run(here, argv, stdin=stdin)

        async def listen(ip: str, port: int) -> socket.socket:
            return await self.network.listen(here, ip, port)

        client = self._lines[spec.name].client(self._client_for("system:kube-proxy"))
        return KubeProxy(client, spec.name, run, mode=mode, config=PROXY_CONFIG, listen=listen)


async def _stop(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _part(kind: str, node_name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.create_task(work, name=f"{kind} of {node_name}")


def _stopped(task: asyncio.Task[None]) -> PartStopped:
    error = task.exception()
    log.error("%s stopped", task.get_name(), exc_info=error)
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return PartStopped(f"{task.get_name()} stopped: {error or 'it came to its end'}")
