"""Our own control plane, in the engine's process: requests of the engine's parts need no socket."""

from __future__ import annotations

import errno
import socket
import sqlite3

from kubelab.engine.access import ADMIN
from kubelab.engine.apiserver import ApiServer, ApiServerSettings
from kubelab.engine.client import Client, InProcessTransport
from kubelab.engine.controllers import run_controllers
from kubelab.engine.controlplane.contract import ControlPlaneError, Dial, Served
from kubelab.engine.network.contract import NetworkLost
from kubelab.engine.pki import PKI
from kubelab.engine.state import StateDir


class BuiltIn:
    """See `kubelab.engine.controlplane.contract.ControlPlane`."""

    description = "built in"
    patience = 0.0

    def __init__(self, state: StateDir, pki: PKI, token: str, dial: Dial) -> None:
        self._state = state
        self._pki = pki
        self._token = token
        self._dial = dial
        self._api: ApiServer | None = None

    async def start(self) -> None:
        """See the contract."""
        settings = ApiServerSettings(
            tokens={self._token: ADMIN},
            service_account_key=self._pki.service_account_key.read_bytes(),
            ca_pem=self._pki.ca_pem,
            kubelet_tls=self._pki.kubelet_client_tls(),
            dial=self._reach,
        )
        try:
            self._state.store.touch(mode=0o600)  # SQLite's files beside it take over its mode
            self._api = ApiServer.open(self._state.store, settings)
        except sqlite3.OperationalError as error:
            raise ControlPlaneError(
                f"The cluster's objects cannot be kept in {self._state.store} ({error}): "
                "make room there, or set KUBELAB_HOME to another directory."
            ) from error
        except (sqlite3.Error, ValueError) as error:
            raise ControlPlaneError(
                f"The cluster's objects in {self._state.store} cannot be read ({error}): "
                "`kubelab down` takes them away, and `kubelab up` starts anew."
            ) from error

    async def _reach(self, host: str, port: int) -> socket.socket:
        try:
            return await self._dial(host, port)
        except NetworkLost as error:
            raise OSError(errno.ENETDOWN, str(error)) from error

    def client_for(self, user: str) -> Client:
        """See the contract."""
        return Client(InProcessTransport(self._opened(), user))

    async def serve(self, listener: socket.socket) -> Served:
        """See the contract."""
        return await self._opened().serve([listener], self._pki.apiserver_tls())

    async def run(self) -> None:
        """See the contract."""
        await run_controllers(self.client_for, ca_pem=self._pki.ca_pem.decode())

    async def close(self) -> None:
        """See the contract."""
        if self._api is not None:
            await self._api.close()

    def _opened(self) -> ApiServer:
        assert self._api is not None, "start comes first"
        return self._api
