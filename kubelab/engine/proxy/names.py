"""Names of kube-proxy's chains, and the hash that makes them short enough for the kernel (28 characters)."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache

from kubelab.engine.proxy.services import PortName

STALE_PREFIXES = ("KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-", "KUBE-FW-", "KUBE-SEP-")
"""Chains that a proxy makes and unmakes: one of these that it does not need is deleted, whoever made it."""


@lru_cache(maxsize=65536)
def short_hash(text: str) -> str:
    """The first 16 characters of the base32 text of a SHA-256 digest."""
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:16]


def service_chain(kind: str, name: PortName) -> str:
    """``KUBE-SVC-…`` (policy Cluster), ``KUBE-SVL-…`` (Local), ``KUBE-EXT-…`` (from outside) or ``KUBE-FW-…``."""
    return f"KUBE-{kind}-{short_hash(f'{name}{name.protocol}')}"


def endpoint_chain(name: PortName, endpoint: str) -> str:
    """``KUBE-SEP-…``, of one endpoint (``ip:port``)."""
    return f"KUBE-SEP-{short_hash(f'{name}{name.protocol}{endpoint}')}"
