"""One address of 127.0.0.0/8 for each cluster's control plane, so that every program of it keeps its usual port."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from kubelab.engine.controlplane.contract import ControlPlaneError

FIRST_OCTET, LAST_OCTET = 128, 254
"""Of 127.X: below are the ranges of the interposed network."""
ATTEMPTS = 20


def choose(root: Path, ports: Sequence[int]) -> str:
    """The same for a state directory each time, if its ports are free. Raises `ControlPlaneError`."""
    candidates = [_candidate(root, attempt) for attempt in range(ATTEMPTS)]
    for address in candidates:
        if _is_free(address, ports):
            return address
    raise ControlPlaneError(
        f"No loopback address is free for the control plane (tried {candidates[0]} and {ATTEMPTS - 1} others): "
        "end what listens there, or use the built-in control plane."
    )


def _candidate(root: Path, attempt: int) -> str:
    digest = hashlib.sha256(f"{root}\0{attempt}".encode()).digest()
    first = FIRST_OCTET + digest[0] % (LAST_OCTET - FIRST_OCTET + 1)
    return f"127.{first}.{digest[1]}.{1 + digest[2] % 254}"


def _is_free(address: str, ports: Sequence[int]) -> bool:
    with ExitStack() as stack:
        for port in ports:
            probe = stack.enter_context(socket.socket())
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True
