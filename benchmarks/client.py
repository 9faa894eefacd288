"""A client that runs in a node's network. Standard library only; handed over as text, prints JSON.

usage: client.py SECONDS HOST:PORT,HOST:PORT… …    (0 seconds: until the first 200)

With several groups of targets one request goes to each group in turn, so that whatever else the machine does hits all
groups alike.
"""

from __future__ import annotations

import http.client
import itertools
import json
import statistics
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


def compare(seconds: float, groups: list[list[tuple[str, int]]]) -> dict[str, object]:
    """Requests a second to each group, each over a connection of its own, its targets in turn; all by the median.

    ``share`` is what the last group gets of the first one's, by pairs of requests that came right after each other, now
    the one first and now the other.
    """
    took: list[list[float]] = [[] for _ in groups]
    turns = [(times, itertools.cycle(group)) for times, group in zip(took, groups, strict=True)]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for times, turn in turns:
            begin = time.perf_counter()
            get(*next(turn))
            times.append(time.perf_counter() - begin)
        turns.reverse()
    share = statistics.median(first / last for first, last in zip(took[0], took[-1], strict=True))
    return {"rates": [1 / statistics.median(times) for times in took], "share": share}


def target(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    return host, int(port)


seconds = float(sys.argv[1])
groups = [[target(each) for each in group.split(",")] for group in sys.argv[2:]]
if seconds == 0:
    first_answer(*groups[0][0])
    print(json.dumps({"code": 200}))
else:
    print(json.dumps(compare(seconds, groups)))
