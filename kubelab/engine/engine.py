"""The whole embedded cluster in one process: it puts the parts together and answers on the control socket.

Nothing but this file, `world` and `addons` knows more than one part.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any

from kubelab.engine import access, addons, config, programs
from kubelab.engine.access import ADMIN
from kubelab.engine.client import Client, persistent
from kubelab.engine.control.server import Call, ControlServer
from kubelab.engine.controlplane import ControlPlane, control_plane
from kubelab.engine.doorway import Doorway, service_address
from kubelab.engine.marking import mark_control_plane
from kubelab.engine.network.contract import Finished, Network, NetworkLost, Place, Tier, node
from kubelab.engine.network.start import start_network
from kubelab.engine.options import Options
from kubelab.engine.pki import PKI
from kubelab.engine.proxy_mode import KeptMode, ask, whatever_network
from kubelab.engine.readiness import wait_until_ready
from kubelab.engine.reset import reset
from kubelab.engine.world import PartStopped, World

log = logging.getLogger(__name__)

IDLE_CHECK_SECONDS = 60
REBUILD_SECONDS = 1.0
"""Between two attempts when a part of the engine does not stay up."""

INGRESS_AFTER_SECONDS = 1.5
"""After a cluster is ready its owner's first pods come first: starting the ingress controller takes a second of CPU."""
INGRESS_PATIENCE_SECONDS = 10.0
"""For as long a connection to the ingress waits for an API that is having a bad moment."""


class EngineError(Exception):
    """The engine cannot start. The message is one sentence and says what to do next."""


class Engine:
    """One cluster, from ``run`` until ``stop``."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._state = options.state
        self._specs = config.nodes(options.name)
        self._control_plane = next(spec.name for spec in self._specs if spec.control_plane)
        self._tier: Tier | None = options.tier
        self._stopping = asyncio.Event()
        self._ready = asyncio.Event()
        self._detail = "starting"
        self._network: Network | None = None
        self._world: World | None = None
        self._proxy_mode = KeptMode(self._state)
        self._server = ""
        self._plane: ControlPlane | None = None
        self._reported = False
        self._doorway = Doorway(self._state, addons.INGRESS_PORTS, lambda: self._network, self._ingress_address)

    def stop(self) -> None:
        """End ``run``; callable from a signal handler."""
        self._stopping.set()

    async def run(self) -> None:
        """Bring the cluster up and keep it until it is told to stop. Raises `EngineError` and `ControlPlaneError`."""
        async with AsyncExitStack() as stack:
            listener = access.bind(self._options)
            stack.callback(listener.close)
            self._server = f"https://127.0.0.1:{listener.getsockname()[1]}"
            control = ControlServer(self._state)
            self._answer_on(control)
            await control.start()
            stack.push_async_callback(control.close)
            pki = PKI(self._state, self._specs)
            token = access.load_token(self._options)
            plane = await self._start_plane(stack, pki, token)
            serving = await plane.serve(listener)
            stack.push_async_callback(serving.close)
            access.write_kubeconfig(self._options, self._server, pki.ca_pem, token)
            if addons.has_ingress():
                await self._doorway.open()
                stack.push_async_callback(self._doorway.close)
            await self._live(pki, plane, lambda: max(control.last_call, serving.last_request))

    async def _start_plane(self, stack: AsyncExitStack, pki: PKI, token: str) -> ControlPlane:
        self._plane = control_plane(self._options, pki, token, self._dial)
        stack.push_async_callback(self._plane.close)
        await self._plane.start()
        return self._plane

    async def _dial(self, address: str, port: int) -> socket.socket:
        """A connection as the control-plane node opens it. Raises OSError and `NetworkLost`."""
        if self._network is None:
            raise NetworkLost("there is no network yet")
        return await self._network.connect(node(self._control_plane), address, port)

    async def _live(self, pki: PKI, plane: ControlPlane, last_request: Callable[[], float]) -> None:
        """Everything that runs side by side; the first to fail, or the order to stop, ends all."""
        work = [
            asyncio.create_task(self._stopping.wait(), name="stop"),
            asyncio.create_task(plane.run(), name="control plane"),
            asyncio.create_task(self._worlds(pki, plane), name="network"),
            asyncio.create_task(self._end_when_idle(last_request), name="idle"),
        ]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
        for task in done:
            if not task.cancelled() and (error := task.exception()):
                raise error

    async def _worlds(self, pki: PKI, plane: ControlPlane) -> None:
        """One network after the other, each as good as new."""
        await addons.install(self._client(ADMIN))
        while True:
            network = await start_network(self._state.root, self._tier)
            self._network = network
            self._tier = network.tier
            log.info("the network is up, on the tier %s", network.tier)
            world = World(
                network,
                self._specs,
                client_for=plane.client_for,
                serve_api=plane.serve,
                kubelet_tls=pki.kubelet_tls(),
                state=self._state.root,
                proxy_mode=self._proxy_mode.mode,
            )
            self._world = world
            watching = asyncio.create_task(self._announce(network))
            reason = "the network agent died"
            try:
                with suppress(NetworkLost):
                    await world.run()
            except PartStopped as stopped:
                if not self._reported:
                    raise EngineError(f"The cluster did not start: {stopped}.") from stopped
                reason = str(stopped)
                await asyncio.sleep(REBUILD_SECONDS)
            finally:
                self._ready.clear()
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
            self._detail = f"{reason}; building the network again"
            log.warning(self._detail)

    async def _announce(self, network: Network) -> None:
        await mark_control_plane(self._client(ADMIN), self._control_plane)
        await wait_until_ready(self._client(ADMIN), network, [spec.name for spec in self._specs])
        self._detail = "nodes are Ready and the name server answers"
        log.info(self._detail)
        if not self._reported:
            self._reported = True
            self._options.report()
        self._ready.set()
        await asyncio.sleep(INGRESS_AFTER_SECONDS)
        await addons.install_ingress(self._client(ADMIN))

    async def _end_when_idle(self, last_request: Callable[[], float]) -> None:
        """Nobody has asked for anything for long: an orphan ends itself."""
        while True:
            await asyncio.sleep(IDLE_CHECK_SECONDS)
            if time.monotonic() - last_request() > self._options.idle_seconds:
                log.warning("no request for %.0f s: the engine ends itself", self._options.idle_seconds)
                return

    def _client(self, user: str, at_most: float = math.inf) -> Client:
        """Which asks again while the control plane has a bad moment, for so many seconds at most."""
        assert self._plane is not None
        return persistent(self._plane.client_for(user), min(self._plane.patience, at_most))

    def _answer_on(self, control: ControlServer) -> None:
        control.on("status", self._on_status)
        control.on("reset", self._on_reset)
        control.on("down", self._on_down)
        control.on("proxy-mode", self._on_proxy_mode)
        control.on("cut", self._on_cut)
        control.on("mend", self._on_mend)
        control.on("run", lambda call: programs.run(self._network, call, self._answer))
        control.on("start", lambda call: programs.start(self._network, call, self._answer))

    async def _on_status(self, call: Call) -> Mapping[str, Any]:
        """With ``wait`` the answer comes when the cluster is ready."""
        if call.arguments.get("wait"):
            await self._ready.wait()
        return {
            "ready": self._ready.is_set(),
            "detail": self._detail,
            "tier": self._network.tier if self._network else "",
            "server": self._server,
            "nodes": [spec.name for spec in self._specs],
            "pid": os.getpid(),
            "control_plane": self._plane.description if self._plane else "",
            "ingress": addons.has_ingress(),
            "loopback": dict(self._doorway.ports),
            "cut_off": self._world.cut_off if self._world else [],
        }

    async def _ingress_address(self) -> str:
        client = self._client(ADMIN, INGRESS_PATIENCE_SECONDS)
        return await service_address(client, addons.INGRESS_NAMESPACE, addons.INGRESS_SERVICE)

    async def _on_cut(self, call: Call) -> Mapping[str, Any]:
        await self._ready.wait()
        self._this_world().cut(str(call.arguments["node"]))
        return {}

    async def _on_mend(self, call: Call) -> Mapping[str, Any]:
        await self._ready.wait()
        self._this_world().mend(str(call.arguments["node"]))
        return {}

    async def _on_reset(self, _call: Call) -> Mapping[str, Any]:
        # Whoever hangs up meanwhile does not leave the cluster half empty.
        await asyncio.shield(self._reset())
        return {}

    async def _reset(self) -> None:
        await self._ready.wait()
        world = self._this_world()
        cut_off = world.cut_off
        for name in cut_off:
            world.mend(name)
        await reset(self._client(ADMIN))
        await self._ready.wait()
        if cut_off:
            await wait_until_ready(self._client(ADMIN), world.network, [spec.name for spec in self._specs])

    async def _on_proxy_mode(self, call: Call) -> Mapping[str, Any]:
        """Switch, if a mode is given, and say by what every node serves."""
        if mode := call.arguments.get("mode"):
            # Whoever hangs up meanwhile does not leave the nodes half-way.
            await asyncio.shield(self._proxy_mode.switch(str(mode), self._ready, self._this_world))
        names = [spec.name for spec in self._specs]
        modes = await whatever_network(self._ready, lambda: ask(self._this_world().network, names))
        details = {proxy.node_name: proxy.detail for proxy in self._this_world().proxies}
        return {"modes": modes, "details": details}

    async def _answer(self, place: Place, argv: Sequence[str]) -> Finished | None:
        return await self._world.answer(place, argv) if self._world else None

    def _this_world(self) -> World:
        assert self._world is not None
        return self._world

    async def _on_down(self, _call: Call) -> Mapping[str, Any]:
        asyncio.get_running_loop().call_soon(self.stop)
        return {}
