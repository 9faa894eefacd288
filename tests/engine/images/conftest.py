"""Servers on loopback for the tests of the built-in images."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from kubelab.engine.images.http_server import Handler, Server


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], str]]:
    """Serve a handler on a free port; answers ``host:port``."""
    servers: list[tuple[Server, threading.Thread]] = []

    def start(handler: Handler) -> str:
        server = Server(0, handler)
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        servers.append((server, thread))
        return f"127.0.0.1:{server.port}"

    yield start
    for server, thread in servers:
        server.close(1)
        thread.join(2)
