"""A cluster in daily life: start, requests, memory, idle, re-attach, stop; ``python -m benchmarks daily``."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import kubelab
from benchmarks.inside import run_in_pod
from benchmarks.manifests import CLIENT, NAMESPACE, web
from benchmarks.measure import Measure
from benchmarks.processes import cpu_seconds, memory
from kubelab.clusters.base import ProxyMode
from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.lab import Lab

NAME = "bench"
ROOT = Path(__file__).parents[1]
MODES: tuple[ProxyMode, ...] = get_args(ProxyMode)
"""The first is what a cluster starts with."""
COLD_STARTS = 5
ATTACHMENTS = 10
TRAFFIC_SECONDS = 2.0
"""For each mode: short enough that all modes together leave ports of the client to the one ClusterIP unused."""
IDLE_SECONDS = 10.0


def timed(*argv: str) -> tuple[float, str]:
    """Seconds that a fresh Python took, and what it printed."""
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, *argv], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)} failed.")
    return time.perf_counter() - begin, done.stdout


def measures(cluster: EmbeddedCluster) -> Iterator[Measure]:
    """All of them; the cluster is up after the first and down after the last."""
    yield start(cluster)
    yield attach()
    lab = kubelab.connect(NAMESPACE)
    lab.apply(CLIENT)
    lab.wait("pod/client", "ready")
    yield throughput(lab, cluster)
    lab.apply(web(9))
    lab.wait("deployment/web")
    yield resident(cluster)
    yield idle(cluster)
    for mode in MODES[1:]:
        lab.switch_proxy_mode(mode)
        lab.wait("service/web", "answers")
        yield throughput(lab, cluster)
    seconds, _ = timed("-m", "kubelab.cli", "down")
    yield Measure("down", seconds, "s", 2)


def start(cluster: EmbeddedCluster) -> Measure:
    """From nothing, every time; the median."""
    runs = []
    for _ in range(COLD_STARTS):
        cluster.down()
        runs.append(json.loads(timed("-m", "benchmarks.first_answer", NAME)[1]))
    middle = sorted(runs, key=lambda run: run["first 200"])[len(runs) // 2]
    detail = ", ".join(f"{name} {seconds:.2f}" for name, seconds in middle.items())
    return Measure("cold up to the first 200 through a ClusterIP", middle["first 200"], "s", 3, detail=detail)


def attach() -> Measure:
    code = f"from kubelab.clusters import attach; attach({NAME!r})"
    seconds = statistics.median(timed("-c", code)[0] for _ in range(ATTACHMENTS))
    return Measure("re-attach, Python's own start included", seconds, "s", 0.3)


def throughput(lab: Lab, cluster: EmbeddedCluster) -> Measure:
    """New connections from a pod, one after the other, in turn straight to the pods and through their Service."""
    pods = ",".join(f"{pod['status']['podIP']}:8080" for pod in lab.find("pods", "app=web"))
    service = f"{lab.get('service/web')['spec']['clusterIP']}:80"
    found = run_in_pod(lab, TRAFFIC_SECONDS, [pods, service])
    straight, through = found["rates"]
    told = [f"{through:.0f} ÷ {straight:.0f} requests/s", *sorted(set(cluster.proxy_mode_details().values()) - {""})]
    what = f"ClusterIP ÷ straight to the pods, {lab.proxy_mode}"
    return Measure(what, found["share"], "", 0.95, at_least=True, detail=", ".join(told))


def resident(cluster: EmbeddedCluster) -> Measure:
    size, processes = memory(cluster.facts()["pid"])
    return Measure("memory with 10 pods (PSS)", size / 1e6, "MB", 300, detail=f"{processes} processes")


def idle(cluster: EmbeddedCluster) -> Measure:
    time.sleep(2)
    pid = cluster.facts()["pid"]
    before = cpu_seconds(pid)
    time.sleep(IDLE_SECONDS)
    return Measure("idle, of one core", 100 * (cpu_seconds(pid) - before) / IDLE_SECONDS, "%", 2)


def main() -> None:
    """Print a line for each measure as it comes."""
    os.environ["KUBELAB_NAME"] = NAME
    cluster = EmbeddedCluster(NAME)
    try:
        for measure in measures(cluster):
            print(measure, flush=True)
            if measure.what.startswith("re-attach"):
                print(f"  on the tier {cluster.facts()['tier']!r}", flush=True)
    finally:
        cluster.down()
