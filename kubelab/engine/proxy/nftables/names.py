"""Names of the objects of one Service's port and of its endpoints.

Each is a kind (``service-``, ``external-``, …), eight characters of a hash, and for people what the hash is of.
"""

from __future__ import annotations

from functools import lru_cache

from kubelab.engine.proxy.endpoints import Endpoint
from kubelab.engine.proxy.names import short_hash
from kubelab.engine.proxy.services import PortName

LONGEST = 240
"""Characters after the kind; the kernel takes names of 255."""


@lru_cache(maxsize=65536)
def port_base(name: PortName) -> str:
    """``ULMVA6XW-ns1/svc1/tcp/p80``; the last part of an unnamed port is empty."""
    return _hashed(_path(name))


@lru_cache(maxsize=65536)
def endpoint_base(name: PortName, endpoint: Endpoint) -> str:
    """``5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80``; the colons of an IPv6 address become dots."""
    return _hashed(f"{_path(name)}__{endpoint.ip.replace(':', '.')}/{endpoint.port}")


def is_of_a_port(chain: str) -> bool:
    """Whether a chain belongs to some Service's port, and is stale when no port needs it; whoever made it."""
    return "/" in chain


def is_affinity(set_name: str) -> bool:
    """Whether a set remembers the clients of an endpoint."""
    return set_name.startswith("affinity-")


def _path(name: PortName) -> str:
    return f"{name.namespace}/{name.service}/{name.protocol}/{name.port}"


def _hashed(path: str) -> str:
    text = f"{short_hash(path)[:8]}-{path}"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
