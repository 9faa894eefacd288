"""Looks names up in a pod with the resolver that every program there uses. ``argv``: a JSON job.

job: names (list), times (each), threads, counts (the URL of the name server's counts), and settle: a name that has to
be found before anything is counted, or nothing; it is waited for up to patience seconds. Writes JSON: counts (before
the first name, and after each), results (``[name, found, seconds]`` for each look-up). Any Python from 3.8 on will do.
"""

from __future__ import annotations

import json
import socket
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

POLL_SECONDS = 0.1


def look_up(name: str) -> tuple[str, bool, float]:
    """One name, IPv4 and IPv6, as most clients do it."""
    began = time.perf_counter()
    try:
        found = bool(socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM))
    except OSError:
        found = False
    return name, found, time.perf_counter() - began


def counts(url: str) -> list[list[object]]:
    """What the name server has counted so far."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return list(json.load(answer))


def settle(name: str, patience: float) -> None:
    """Wait until a name is found. Ends the program when it is not."""
    deadline = time.monotonic() + patience
    while not look_up(name)[1]:
        if time.monotonic() > deadline:
            sys.exit(f"{name} is not found after {patience:g} s")
        time.sleep(POLL_SECONDS)


def main() -> None:
    """Do the job."""
    job = json.loads(sys.argv[1])
    if job["settle"]:
        settle(job["settle"], job["patience"])
    counted = [counts(job["counts"])]
    results: list[tuple[str, bool, float]] = []
    with ThreadPoolExecutor(job["threads"]) as threads:
        for name in job["names"]:
            results += threads.map(look_up, [name] * job["times"])
            counted.append(counts(job["counts"]))
    print(json.dumps({"counts": counted, "results": results}))


if __name__ == "__main__":
    main()
