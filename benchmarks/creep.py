"""What stays in the engine's memory when all has gone: ``python -m benchmarks creep [ROUNDS]``, a minute or two.

Pods come and go as objects (no scheduler takes them, so nobody starts a process or writes an Event, which would stay
for an hour as it should), then watches. What a shelf remembers for watches that resume, and what Python keeps for
later, is full before anything is measured.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing

from benchmarks.api import NAMESPACE, PODS, Connection
from benchmarks.measure import Measure
from benchmarks.processes import pss
from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.lab import Lab
from kubelab.lab.api import KubeconfigApi

NAME = os.environ.get("KUBELAB_NAME", "bench-creep")
ROUNDS, WARM = 2000, 800
MARK_MB = 5.0
AT_ONCE = 20
"""Watches that are open together."""
SETTLE_SECONDS = 2.0
POD = {"schedulerName": "nobody", "containers": [{"name": "web", "image": "registry.k8s.io/pause:3.10"}]}


def pods(api: Connection, rounds: int) -> None:
    """Each is made and deleted."""
    for number in range(rounds):
        name = f"pod-{number}"
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": POD}
        api.timed("POST", PODS, pod)
        api.timed("DELETE", f"{PODS}/{name}")


def watches(cluster: EmbeddedCluster, rounds: int) -> None:
    """Each begins with what is there, is read once and hung up on."""
    for _ in range(rounds // AT_ONCE):
        connections = [Connection(cluster) for _ in range(AT_ONCE)]
        for each in connections:
            each.open("GET", "/api/v1/namespaces?watch=1").readline()
        for each in connections:
            each.close()


def measures(cluster: EmbeddedCluster, rounds: int) -> Iterator[Measure]:
    """Of the engine's process alone, beside what it took when warm."""
    engine = cluster.facts()["pid"]

    def taken() -> float:
        time.sleep(SETTLE_SECONDS)
        return pss(engine) / 1e6

    with closing(Connection(cluster)) as api:
        pods(api, WARM)
        watches(cluster, WARM)
        before = taken()
        pods(api, rounds)
        between = taken()
        yield Measure(f"memory more after {rounds:,} pods", between - before, "MB", MARK_MB, detail=f"of {before:.0f}")
        watches(cluster, rounds)
        after = taken()
        yield Measure(f"memory more after {rounds:,} watches", after - between, "MB", MARK_MB)
        left = len(os.listdir(f"/proc/{engine}/fd"))
        yield Measure("open files of the engine", left, "", detail="when all have gone")


def main(sizes: tuple[int, ...] = (ROUNDS,)) -> None:
    """Print a line for each measure as it comes."""
    cluster = EmbeddedCluster(NAME)
    try:
        cluster.up()
        lab = Lab(cluster, KubeconfigApi(cluster.kubeconfig), NAMESPACE)
        lab.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        for measure in measures(cluster, sizes[0]):
            print(measure, flush=True)
        print(f"  on the tier {cluster.facts()['tier']!r}", flush=True)
    finally:
        cluster.down()
