"""What the engine asks of a control plane, whoever's it is."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

from kubelab.engine.client import Client

Dial = Callable[[str, int], Awaitable[socket.socket]]
"""Open a TCP connection (a non-blocking socket) to an address and port as the control-plane node would.

Raises OSError, and `NetworkLost` while there is no network.
"""


class ControlPlaneError(Exception):
    """It cannot start, or does not stay up. The message is one sentence and says what to do next."""


class Served(Protocol):
    """The API on one socket, until ``close``."""

    @property
    def last_request(self) -> float:
        """When somebody last asked for something there (`time.monotonic`)."""
        ...

    async def close(self) -> None:
        """Stop listening, and hang up on everybody."""
        ...


class ControlPlane(Protocol):
    """API server, store, controllers and scheduler of one cluster, from ``start`` until ``close``."""

    @property
    def description(self) -> str:
        """What it is, for `kubelab status`: ``built in``, ``etcd 3.6.4, kube-apiserver 1.36.2 …``."""
        ...

    @property
    def patience(self) -> float:
        """For how many seconds its API may be unable to answer, with nothing being wrong."""
        ...

    async def start(self) -> None:
        """Open the store and the API. Raises `ControlPlaneError`."""
        ...

    def client_for(self, user: str) -> Client:
        """The API as one of the engine's own users."""
        ...

    async def serve(self, listener: socket.socket) -> Served:
        """Let the API answer on a bound socket too, of the machine or of a node."""
        ...

    async def run(self) -> None:
        """Run the controllers and keep everything up, until cancelled. Raises `ControlPlaneError`."""
        ...

    async def close(self) -> None:
        """End every process and connection; quiet when it was not started."""
        ...
