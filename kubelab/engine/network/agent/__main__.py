"""The agent's start. The engine runs it as ``python -I -S -c …`` (`kubelab.engine.network.launch`)."""

from __future__ import annotations

import gc
import importlib
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

from kubelab.engine.network.agent import messages, title
from kubelab.engine.network.agent.backend import Backend, Settings, TierUnusable
from kubelab.engine.network.agent.server import Server

SHARED_WITH_PODS = ("kubelab.engine.images.agnhost.netexec", "kubelab.engine.images.pause")
"""Built-in programs that are loaded before any fork, so that all pods share one copy of their code."""


def main(tier: str, channel: int, state: str) -> None:
    """Be the agent: ``channel`` is the descriptor of its end of the socket pair. Returns when the engine is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a Ctrl-C is for the engine, and its end is ours
    engine = socket.socket(fileno=channel)
    engine.set_inheritable(False)
    title.find_area()
    try:
        server = _prepare(Settings(tier, Path(state)), engine)
    except TierUnusable as unusable:
        messages.send(engine, {"event": "unusable", "reason": unusable.reason, "remedy": unusable.remedy})
        os._exit(1)
    server.greet()
    _load_what_pods_share()
    server.serve()
    os._exit(0)


def _prepare(settings: Settings, engine: socket.socket) -> Server:
    backend = load_backend(settings)
    backend.isolate()
    title.set_title(["kubelab-network", settings.tier, str(settings.state)])
    return Server(engine, backend, _raise_open_files())


def _load_what_pods_share() -> None:
    for module in SHARED_WITH_PODS:
        with suppress(ImportError):  # starting the program will say what is wrong with it
            importlib.import_module(module)
    gc.collect()
    gc.freeze()


def load_backend(settings: Settings) -> Backend:
    """The backend of a tier; only its own modules are loaded."""
    if settings.tier == "interposed":
        from kubelab.engine.network.agent.interposed import InterposedBackend

        return InterposedBackend(settings)
    from kubelab.engine.network.agent.namespaces import NamespaceBackend

    return NamespaceBackend(settings)


def _raise_open_files() -> tuple[int, int]:
    """Two descriptors a pod: take more than the usual 1024. Returns the limits as they were, for the programs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = 1 << 16 if hard == resource.RLIM_INFINITY else min(hard, 1 << 16)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, enough), hard))
    return soft, hard


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
