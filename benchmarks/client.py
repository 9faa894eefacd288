"""A client that runs in a node's network. Standard library only; handed over as text, prints JSON.

usage: client.py SECONDS HOST:PORT…    (0 seconds: until the first 200)
"""

from __future__ import annotations

import http.client
import itertools
import json
import sys
import time


def get(host: str, port: int, timeout: float = 2) -> int:
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def first_answer(host: str, port: int) -> None:
    while True:
        try:
            if get(host, port, timeout=0.1) == 200:
                return
        except OSError:
            time.sleep(0.005)


def count(seconds: float, targets: list[tuple[str, int]]) -> float:
    """Requests a second, each over a connection of its own, the targets in turn."""
    begin = time.perf_counter()
    for done, (host, port) in enumerate(itertools.cycle(targets), start=1):
        get(host, port)
        if (passed := time.perf_counter() - begin) >= seconds:
            return done / passed
    raise AssertionError("there is no target")


seconds = float(sys.argv[1])
targets = [(host, int(port)) for host, _, port in (each.partition(":") for each in sys.argv[2:])]
if seconds == 0:
    first_answer(*targets[0])
    print(json.dumps({"code": 200}))
else:
    print(json.dumps({"rate": count(seconds, targets)}))
