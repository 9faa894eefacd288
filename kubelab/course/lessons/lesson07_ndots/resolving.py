"""Looks names up in a pod with the resolver that every program there uses. ``argv``: a JSON job.

job: names (list), times (each), threads. Writes JSON: ``[[name, found, seconds], …]``.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor


def look_up(name: str) -> tuple[str, bool, float]:
    """One name, IPv4 and IPv6, as most clients do it."""
    began = time.perf_counter()
    try:
        found = bool(socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM))
    except OSError:
        found = False
    return name, found, time.perf_counter() - began


def main() -> None:
    """Do the job."""
    job = json.loads(sys.argv[1])
    with ThreadPoolExecutor(job["threads"]) as threads:
        results = list(threads.map(look_up, [name for name in job["names"] for _ in range(job["times"])]))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
