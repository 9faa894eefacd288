"""A peer of task 6.2: the lessons' server, which is not ready before it has found all its peers by name."""

from __future__ import annotations

import os
import socket
import threading
import time

import server  # lies beside this file in the pod

PEERS = os.environ.get("PEERS", "").split()
POLL_SECONDS = 0.5


def known(name: str) -> bool:
    """Whether the pod's resolver finds a name."""
    try:
        socket.getaddrinfo(name, None, socket.AF_INET)
    except OSError:
        return False
    return True


def seek() -> None:
    """Ask for the peers that are missing until none is; then say that we are ready."""
    missing = list(PEERS)
    while missing:
        missing = [name for name in missing if not known(name)]
        print(f"waiting for {', '.join(missing)}" if missing else "all peers are found", flush=True)
        time.sleep(POLL_SECONDS)
    server.SICK.clear()


if __name__ == "__main__":
    server.SICK.set()
    threading.Thread(target=seek, daemon=True).start()
    server.main()
