"""The whole embedded cluster in one process: it puts the parts together and answers on the control socket.

Nothing but this file, `world` and `addons` knows more than one part.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
import socket
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any

import yaml

from kubelab.engine import addons, config, programs
from kubelab.engine.apiserver import ApiServer, ApiServerSettings
from kubelab.engine.client import Client, InProcessTransport
from kubelab.engine.control.server import Call, ControlServer
from kubelab.engine.controllers import run_controllers
from kubelab.engine.doorway import Doorway, service_address
from kubelab.engine.network.contract import Finished, Network, NetworkLost, Place, Tier
from kubelab.engine.network.start import start_network
from kubelab.engine.options import Options
from kubelab.engine.pki import PKI
from kubelab.engine.proxy_mode import KeptMode, ask, whatever_network
from kubelab.engine.readiness import wait_until_ready
from kubelab.engine.reset import reset
from kubelab.engine.world import PartStopped, World

log = logging.getLogger(__name__)

ADMIN = "kubernetes-admin"
IDLE_CHECK_SECONDS = 60
REBUILD_SECONDS = 1.0
"""Between two attempts when a part of the engine does not stay up."""

INGRESS_AFTER_SECONDS = 1.5
"""After a cluster is ready its owner's first pods come first: starting the ingress controller takes a second of CPU."""


class EngineError(Exception):
    """The engine cannot start. The message is one sentence and says what to do next."""


class Engine:
    """One cluster, from ``run`` until ``stop``."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._state = options.state
        self._specs = config.nodes(options.name)
        self._tier: Tier | None = options.tier
        self._stopping = asyncio.Event()
        self._ready = asyncio.Event()
        self._detail = "starting"
        self._network: Network | None = None
        self._world: World | None = None
        self._proxy_mode = KeptMode(self._state)
        self._server = ""
        self._reported = False
        self._doorway = Doorway(self._state, addons.INGRESS_PORTS, lambda: self._network, self._ingress_address)

    def stop(self) -> None:
        """End ``run``; callable from a signal handler."""
        self._stopping.set()

    async def run(self) -> None:
        """Bring the cluster up and keep it until it is told to stop. Raises `EngineError`."""
        async with AsyncExitStack() as stack:
            listener = self._bind_api()
            control = ControlServer(self._state)
            self._answer_on(control)
            await control.start()
            stack.push_async_callback(control.close)
            pki = PKI(self._state, self._specs)
            self._api = self._open_api(pki)
            stack.push_async_callback(self._api.close)
            serving = await self._api.serve([listener], pki.apiserver_tls())
            stack.push_async_callback(serving.close)
            self._write_kubeconfig(pki)
            if addons.has_ingress():
                await self._doorway.open()
                stack.push_async_callback(self._doorway.close)
            await self._live(pki, lambda: max(control.last_call, serving.last_request))

    async def _live(self, pki: PKI, last_request: Callable[[], float]) -> None:
        """Everything that runs side by side; the first to fail, or the order to stop, ends all."""
        work = [
            asyncio.create_task(self._stopping.wait(), name="stop"),
            asyncio.create_task(run_controllers(self._client, ca_pem=pki.ca_pem.decode()), name="controllers"),
            asyncio.create_task(self._worlds(pki), name="network"),
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

    async def _worlds(self, pki: PKI) -> None:
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
                client_for=self._client,
                api=self._api,
                api_tls=pki.apiserver_tls(),
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

    def _bind_api(self) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", self._port_to_ask_for()))
        except OSError:
            if self._options.api_port:
                listener.close()
                raise EngineError(
                    f"Port {self._options.api_port} on 127.0.0.1 is taken: "
                    "choose another with --api-port, or leave it out."
                ) from None
            listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        listener.setblocking(False)
        self._server = f"https://127.0.0.1:{listener.getsockname()[1]}"
        return listener

    def _port_to_ask_for(self) -> int:
        """The port asked for, else the one that the last engine had, so that old kubeconfigs go on working."""
        if self._options.api_port:
            return self._options.api_port
        try:
            known = yaml.safe_load(self._state.kubeconfig.read_text())
            port = int(known["clusters"][0]["cluster"]["server"].rpartition(":")[2])
            return port if 0 < port < 1 << 16 else 0
        except (OSError, ValueError, KeyError, IndexError, TypeError, yaml.YAMLError):
            return 0

    def _open_api(self, pki: PKI) -> ApiServer:
        self._token = self._load_token()
        settings = ApiServerSettings(
            tokens={self._token: ADMIN},
            service_account_key=pki.service_account_key.read_bytes(),
            kubelet_tls=pki.kubelet_client_tls(),
        )
        try:
            self._state.store.touch(mode=0o600)  # SQLite's files beside it take over its mode
            return ApiServer.open(self._state.store, settings)
        except sqlite3.OperationalError as error:
            raise EngineError(
                f"The cluster's objects cannot be kept in {self._state.store} ({error}): "
                "make room there, or set KUBELAB_HOME to another directory."
            ) from error
        except (sqlite3.Error, ValueError) as error:
            raise EngineError(
                f"The cluster's objects in {self._state.store} cannot be read ({error}): "
                "`kubelab down` takes them away, and `kubelab up` starts anew."
            ) from error

    def _load_token(self) -> str:
        try:
            known = self._state.token.read_text()
        except (FileNotFoundError, UnicodeDecodeError):
            known = ""
        if re.fullmatch(r"[\w-]{32,}", known, re.ASCII):
            return known
        token = secrets.token_urlsafe(32)  # also for a damaged file, above all an empty one
        self._state.write(self._state.token, token)
        return token

    def _write_kubeconfig(self, pki: PKI) -> None:
        context = f"kubelab-{self._options.name}" if self._options.name != "kubelab" else "kubelab"
        cluster = {"server": self._server, "certificate-authority-data": _base64(pki.ca_pem)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": context, "cluster": cluster}],
            "users": [{"name": context, "user": {"token": self._token}}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
            "current-context": context,
        }
        self._state.write(self._state.kubeconfig, yaml.safe_dump(document, sort_keys=False))

    def _client(self, user: str) -> Client:
        return Client(InProcessTransport(self._api, user))

    def _answer_on(self, control: ControlServer) -> None:
        control.on("status", self._on_status)
        control.on("reset", self._on_reset)
        control.on("down", self._on_down)
        control.on("proxy-mode", self._on_proxy_mode)
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
            "ingress": addons.has_ingress(),
            "loopback": dict(self._doorway.ports),
        }

    async def _ingress_address(self) -> str:
        return await service_address(self._client(ADMIN), addons.INGRESS_NAMESPACE, addons.INGRESS_SERVICE)

    async def _on_reset(self, _call: Call) -> Mapping[str, Any]:
        await reset(self._client(ADMIN))
        await self._ready.wait()
        return {}

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


def _base64(data: bytes) -> str:
    from base64 import b64encode

    return b64encode(data).decode()
