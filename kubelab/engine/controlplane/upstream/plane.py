"""The real control plane: etcd, kube-apiserver, kube-controller-manager and kube-scheduler, started and kept up.

Our parts are its clients over HTTPS, each with a certificate of its own. What upstream leaves to a cloud (addresses of
load balancers) and what is not installed (KUBEBUILDER_ASSETS has no controllers) our controllers do, as clients too.
"""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

from kubelab.engine.access import ADMIN
from kubelab.engine.client import ApiRequest, Client, HttpsTransport
from kubelab.engine.client.programs import program_of
from kubelab.engine.controllers import Part, run_controllers
from kubelab.engine.controlplane.contract import ControlPlaneError, Dial, Served
from kubelab.engine.controlplane.upstream import addresses, binaries, commands, identities
from kubelab.engine.controlplane.upstream.binaries import Binary
from kubelab.engine.controlplane.upstream.commands import API, CONTROLLERS, ETCD, PORTS, SCHEDULER, Facts
from kubelab.engine.controlplane.upstream.component import Component, Healthy
from kubelab.engine.controlplane.upstream.egress import Egress
from kubelab.engine.controlplane.upstream.preparing import prepare
from kubelab.engine.controlplane.upstream.relay import Relay
from kubelab.engine.pki import PKI
from kubelab.engine.state import StateDir

START_SECONDS = 45.0
"""For each of etcd and kube-apiserver, on a slow machine; the second makes its roles first."""
PATIENCE_SECONDS = 60.0
"""An election of etcd's, and one program's end and start, are over by then."""


class Upstream:
    """See `kubelab.engine.controlplane.contract.ControlPlane`."""

    patience = PATIENCE_SECONDS

    def __init__(self, state: StateDir, cluster: str, pki: PKI, token: str, dial: Dial) -> None:
        self._state = state
        self._cluster = cluster
        self._pki = pki
        self._token = token
        self._egress = Egress(state.egress, dial)
        self._facts: Facts | None = None
        self._binaries: dict[str, Binary] = {}
        self._components: list[Component] = []
        self._clients: dict[str, Client] = {}

    @property
    def description(self) -> str:
        """See the contract."""
        down = [f"{each.name} is down, see {each.log}" for each in self._components if not each.is_up]
        return "; ".join([binaries.describe(self._binaries) if self._binaries else "upstream", *down])

    async def start(self) -> None:
        """See the contract."""
        self._binaries = await binaries.find(os.environ)
        address = addresses.choose(self._state.root, PORTS)
        self._pki.serve_at(address)
        self._facts = facts = prepare(self._state, self._cluster, self._pki, self._token, address, self._state.egress)
        await self._egress.open()
        etcd = _asks(facts.url(ETCD), "/health", facts.etcd_authority, *facts.etcd_client)
        admin = self._pki.user(ADMIN, identities.groups_of(ADMIN))
        api = _asks(facts.url(API), "/readyz", self._pki.ca_cert, *admin)
        await self._start("etcd", commands.etcd(facts), etcd, START_SECONDS)
        await self._start("kube-apiserver", commands.kube_apiserver(facts), api, START_SECONDS)
        for name, argv, port in (
            ("kube-controller-manager", commands.kube_controller_manager(facts), CONTROLLERS),
            ("kube-scheduler", commands.kube_scheduler(facts), SCHEDULER),
        ):
            if name in self._binaries:
                await self._start(name, argv, _asks(facts.url(port), "/healthz", self._pki.ca_cert))

    async def _start(self, name: str, argv: list[str], healthy: Healthy, seconds: float = 0) -> None:
        """With ``seconds`` wait for so long until it is well."""
        component = Component(name, [self._binaries[name].path, *argv], self._state.component_logs, healthy)
        self._components.append(component)
        await component.start()
        if seconds:
            await component.ready(seconds)

    def client_for(self, user: str) -> Client:
        """See the contract."""
        if user not in self._clients:
            assert self._facts is not None, "start comes first"
            account = identities.is_account(user)
            shown = ADMIN if account else user
            cert, key = self._pki.user(shown, identities.groups_of(shown))
            transport = HttpsTransport(
                self._facts.url(API),
                ca_file=str(self._pki.ca_cert),
                certificate=str(cert),
                key=str(key),
                user_agent=program_of(user),
                impersonate=user if account else "",
            )
            self._clients[user] = Client(transport)
        return self._clients[user]

    async def serve(self, listener: socket.socket) -> Served:
        """See the contract."""
        assert self._facts is not None, "start comes first"
        return await Relay.open(listener, self._facts.address, API)

    async def run(self) -> None:
        """See the contract."""
        parts: list[Part] = ["load balancers"]
        if "kube-controller-manager" not in self._binaries:
            parts.append("controllers")
        if "kube-scheduler" not in self._binaries:
            parts.append("scheduler")
        try:
            async with asyncio.TaskGroup() as group:
                for component in self._components:
                    group.create_task(component.run())
                group.create_task(run_controllers(self.client_for, ca_pem=self._pki.ca_pem.decode(), parts=parts))
        except* ControlPlaneError as errors:
            raise errors.exceptions[0] from None

    async def close(self) -> None:
        """See the contract."""
        await asyncio.gather(*(client.close() for client in self._clients.values()))
        await asyncio.gather(*(component.stop() for component in self._components))
        await self._egress.close()


def _asks(server: str, path: str, ca: Path, cert: Path | None = None, key: Path | None = None) -> Healthy:
    """Whether a program says that it is well, asked anew each time."""

    async def ask() -> bool:
        shown = str(cert) if cert else ""
        transport = HttpsTransport(server, ca_file=str(ca), certificate=shown, key=str(key) if key else None)
        try:
            return (await transport.request(ApiRequest("GET", path))).status == 200
        except OSError:
            return False
        finally:
            await transport.close()

    return ask
