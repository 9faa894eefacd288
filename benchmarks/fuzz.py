"""Thousands of requests that nobody would write by hand, against a whole cluster.

``python -m benchmarks fuzz [REQUESTS [SEED]]``. The generator is the tests' (`tests.engine.apiserver.fuzz`): the same
seed and number make the same request. Meanwhile controllers, scheduler, kube-proxies, node agents, the name server and
the ingress work on whatever was accepted; at the end they have to be well, quiet, and no larger than they were.
"""

from __future__ import annotations

import http.client
import itertools
import os
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.measure import Measure
from benchmarks.processes import memory, settle
from kubelab.clusters.embedded import EmbeddedCluster
from tests.engine.apiserver.fuzz.requests import FuzzRequest, preparation, request
from tests.engine.apiserver.fuzz.verdict import is_fault

NAME = os.environ.get("KUBELAB_NAME", "bench-fuzz")
REQUESTS, SEED = 10_000, 1
CLIENTS = 4
LONGEST_SECONDS = 5.0
NEWER_THAN_KUBECTL = ("ipaddresses.networking.k8s.io", "servicecidrs.networking.k8s.io")
"""A kubectl of before 1.33 describes only their beta versions."""
HISTORY_MB = 150
"""What this many requests leave in the history of changes: 28 MB for 5,000 more, until each kind's is full."""
NAMESPACES = ("fuzz-1", "fuzz-2", "fuzz-3", "fuzz-4")
EXPECTED = ("an owner of kind",)
"""What is said of objects that nothing can be done with (here: an owner that is of no kind), as upstream says it."""


class Session:
    """A client's connections, one after the other."""

    def __init__(self, cluster: EmbeddedCluster) -> None:
        self._tls = ssl.create_default_context(cafile=str(cluster.state.pki / "ca.crt"))
        self._port = int(cluster.facts()["server"].rpartition(":")[2])
        self._token = cluster.state.token.read_text()
        self._connection: http.client.HTTPSConnection | None = None

    def send(self, asked: FuzzRequest) -> tuple[int, bytes]:
        """Status and body; watches and followed logs are not read to their end. Raises OSError."""
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                "127.0.0.1", self._port, context=self._tls, timeout=LONGEST_SECONDS
            )
        headers = {"Authorization": f"Bearer {self._token}", **asked.headers}
        try:
            self._connection.request(asked.method, asked.line, asked.body or None, headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Tally:
    """What came back, from all clients."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.faults: list[str] = []
        self.longest = 0.0
        self._lock = threading.Lock()

    def take(self, asked: FuzzRequest, status: int, body: bytes, seconds: float) -> None:
        with self._lock:
            self.statuses[status] += 1
            self.longest = max(self.longest, seconds)
            if status < 0 or is_fault(asked, status, body):
                self.faults.append(f"{asked.number} {asked.method} {asked.line[:150]}: {status} {body[:300]!r}")


def ask(cluster: EmbeddedCluster, tally: Tally, numbers: Iterator[int], seed: int) -> None:
    session = Session(cluster)
    for number in numbers:
        asked = request(seed, number)
        begin = time.perf_counter()
        try:
            status, body = session.send(asked)
        except (OSError, http.client.HTTPException) as error:
            status, body = -1, repr(error).encode()
        tally.take(asked, status, body, time.perf_counter() - begin)
    session.close()


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def measures(cluster: EmbeddedCluster, requests: int, seed: int) -> Iterator[Measure]:
    """The requests, and then how the cluster is."""
    pid = cluster.facts()["pid"]
    session = Session(cluster)
    for asked in preparation():
        session.send(asked)
    session.close()
    settle(pid)
    before, files = memory(pid)[0], open_files(pid)
    tally = Tally()
    numbers = _Shared(requests)
    begin = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(lambda _: ask(cluster, tally, iter(numbers.take, None), seed), range(CLIENTS)))
    seconds = time.perf_counter() - begin
    came = ", ".join(f"{number} times {status}" for status, number in sorted(tally.statuses.items()))
    yield Measure("requests answered with a fault, or not at all", len(tally.faults), "", 0,
                  detail=f"of {requests} (seed {seed}): {came}")  # fmt: skip
    for fault in tally.faults[:20]:
        print(f"    {fault}")
    yield Measure("the longest", tally.longest, "s", LONGEST_SECONDS, detail=f"{requests / seconds:.0f} requests/s")
    yield Measure("the same engine afterwards", float(cluster.facts()["pid"] == pid), "", 1, at_least=True)
    yield Measure("not ready afterwards", unready(cluster), "", 0)
    yield kubectl_reads(cluster)
    clear(cluster)
    yield Measure("idle, when all is deleted, of one core", 100 * settle(pid), "%", 3)
    yield Measure("memory more, when all is deleted", (memory(pid)[0] - before) / 1e6, "MB", HISTORY_MB,
                  detail="(watches may go on from the last 1,000 changes of each kind)")  # fmt: skip
    yield Measure("open files more", open_files(pid) - files, "", 20)
    lines = complaints(cluster.state.log)
    yield Measure("tracebacks in the engine's log", len(lines), "", 0, detail="; ".join(lines[:3]))


class _Shared:
    """Numbers, each given to one client."""

    def __init__(self, most: int) -> None:
        self._numbers = itertools.count()
        self._most = most
        self._lock = threading.Lock()

    def take(self) -> int | None:
        with self._lock:
            number = next(self._numbers)
        return number if number < self._most else None


def kubectl(cluster: EmbeddedCluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    return subprocess.run(["kubectl", *arguments], env=environment, text=True, capture_output=True, timeout=300)


def kubectl_reads(cluster: EmbeddedCluster) -> Measure:
    """`kubectl get` and `describe` of every kind."""
    kinds = kubectl(cluster, "api-resources", "--verbs=list", "-o", "name").stdout.split()
    failed = []
    for kind in kinds:
        described = [["describe", kind, "-A"]] if kind not in NEWER_THAN_KUBECTL else []
        for words in (["get", kind, "-A"], ["get", kind, "-A", "-o", "yaml"], *described):
            done = kubectl(cluster, *words)
            if done.returncode:
                failed.append(f"{' '.join(words)}: {done.stderr.strip()[:200]}")
    return Measure("kubectl's get and describe that failed", len(failed), "", 0, detail="; ".join(failed[:3]))


def clear(cluster: EmbeddedCluster) -> None:
    """Delete what the requests left, finalizers of nobody included."""
    kubectl(
        cluster, "delete", "namespaces", "fuzz-1", "fuzz-2", "fuzz-3", "fuzz-4", "--ignore-not-found", "--timeout=60s"
    )
    cluster.reset()


def unready(cluster: EmbeddedCluster) -> int:
    nodes = kubectl(cluster, "get", "nodes", "--no-headers").stdout.splitlines()
    system = kubectl(cluster, "get", "pods", "-A", "--no-headers").stdout.splitlines()
    ours = [line for line in nodes if line.startswith(f"{cluster.name}-")]
    return sum(" Ready" not in line for line in ours) + sum(
        " 1/1 " not in " ".join(line.split()) for line in system if line.startswith("kube")
    )


def complaints(log: Path) -> list[str]:
    """The last lines of tracebacks, and errors."""
    found, inside = [], False
    for line in log.read_text(errors="replace").splitlines():
        if line.startswith("Traceback"):
            inside = True
        elif inside and not line.startswith((" ", "\t")):
            found += [] if any(words in line for words in EXPECTED) else [line[:150]]
            inside = False
    return found


def main(sizes: tuple[int, ...] = (REQUESTS, SEED)) -> None:
    """Print a line for each measure as it comes."""
    requests, seed = (*sizes, SEED)[:2]
    os.environ["KUBELAB_NAME"] = NAME
    cluster = EmbeddedCluster(NAME)
    try:
        cluster.up()
        for measure in measures(cluster, requests, seed):
            print(measure, flush=True)
        print(f"  on the tier {cluster.facts()['tier']!r}", flush=True)
    finally:
        cluster.down()
