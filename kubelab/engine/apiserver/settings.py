"""What the composition root decides about an API server."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

Dial = Callable[[str, int], Awaitable[socket.socket]]
"""Opens a TCP connection (a non-blocking socket) to an address and port of the cluster's network. Raises OSError."""
DIAL_SECONDS = 5.0


async def dial_directly(host: str, port: int) -> socket.socket:
    """For servers that this process reaches by itself."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        async with asyncio.timeout(DIAL_SECONDS):
            await asyncio.get_running_loop().sock_connect(made, (host, port))
    except BaseException:
        made.close()
        raise
    return made


@dataclass(frozen=True)
class ApiServerSettings:
    """The settings of one API server; every default is fit for a test."""

    tokens: Mapping[str, str] = field(default_factory=dict)
    """Bearer token → user name, for people and components outside the process."""
    service_account_key: bytes | None = None
    """PEM of the EC (P-256) private key that signs service account tokens; a fresh one when None."""
    issuer: str = "https://kubernetes.default.svc.cluster.local"
    ca_pem: bytes = b""
    """The authority that has signed the server's certificate, for Secrets with a service account's token."""
    kubelet_tls: ssl.SSLContext | None = None
    """With the client certificate that kubelets ask for; None where no kubelet is to be dialled."""
    dial: Dial = dial_directly
    """The way to pods and nodes, for their proxy subresources."""
    clock: Callable[[], float] = time.time
    """Seconds since the epoch."""
    steady: Callable[[], float] = time.monotonic
    """Seconds, of which only differences mean something: they pass alike when the time is set."""
    watch_window: int = 1000
    """Events kept per resource for watches that start in the past; older ones get 410 Expired."""
    events_ttl_seconds: float = 3600.0
    """How long an Event is kept, as kube-apiserver's ``--event-ttl``."""
