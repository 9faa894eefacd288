"""What the composition root decides about an API server."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


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
    clock: Callable[[], float] = time.time
    """Seconds since the epoch."""
    watch_window: int = 1000
    """Events kept per resource for watches that start in the past; older ones get 410 Expired."""
    events_ttl_seconds: float = 3600.0
    """How long an Event is kept, as kube-apiserver's ``--event-ttl``."""
