"""Any process of the engine is killed, again and again, under load: ``python -m benchmarks kill [TIMES [SEED]]``.

Writers over HTTPS note what was acknowledged, a watcher goes on from its last resourceVersion, and the learner's
Service is asked from outside. Nothing acknowledged may be lost, nothing may be missed by the watcher, and after each
kill the Service has to answer again: an engine that is gone by `kubelab up`, everything else by itself.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.api import Connection
from benchmarks.manifests import web
from benchmarks.measure import Measure
from benchmarks.processes import memory, settle
from kubelab.clusters.base import ClusterError
from kubelab.clusters.descendants import Descendants, below
from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.lab import Lab
from kubelab.lab.api import KubeconfigApi

NAME = os.environ.get("KUBELAB_NAME", "bench-kill")
KILLS, SEED = 100, 1
MARK_SECONDS = 3.0
LONGEST_SECONDS = 60.0
PAUSE_SECONDS = 0.5
"""Of load between the recovery from one kill and the next."""
NAMESPACE = "kill"
CONFIGMAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/web"
BROKEN = (OSError, http.client.HTTPException, ValueError, KeyError)
"""What a client whose server has just been killed can meet."""


class Load:
    """One writer and one watcher, until `stop`."""

    def __init__(self, cluster: EmbeddedCluster) -> None:
        self._cluster = cluster
        self._over = threading.Event()
        self.acknowledged: dict[str, str | None] = {}
        """Name → the value last acknowledged, or None: its deletion was."""
        self.unsure: set[str] = set()
        """Names of requests that nobody answered."""
        self.seen: dict[str, str | None] = {}
        """What the watcher makes of its events."""
        self.relists = 0
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._write, self._watch)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the writer; the watcher still takes what is under way."""
        self._over.set()
        for thread in self._threads:
            thread.join(LONGEST_SECONDS)

    def _write(self) -> None:
        connection, number = None, 0
        while not self._over.is_set():
            name, value = f"note-{number % 50}", str(number)
            method, path, body = self._next(name, value)
            try:
                connection = connection or Connection(self._cluster)
                answer = connection.open(method, path, body)
                answer.read()
            except BROKEN:
                self.unsure.add(name)
                self.acknowledged.pop(name, None)
                connection = None
                self._over.wait(0.05)
                continue
            if answer.status < 300:
                self.unsure.discard(name)
                self.acknowledged[name] = None if method == "DELETE" else value
            elif name in self.unsure:
                self.unsure.discard(name)
                self.acknowledged.pop(name, None)
                with suppress(*BROKEN):
                    connection.open("DELETE", f"{CONFIGMAPS}/{name}").read()
            number += 1
            if number % 40 == 0:
                with suppress(*BROKEN):
                    connection.open("PUT", f"{DEPLOYMENT}/scale", _scale(2 + number // 40 % 2)).read()
            time.sleep(0.005)

    def _next(self, name: str, value: str) -> tuple[str, str, dict[str, Any] | None]:
        body = {"metadata": {"name": name}, "data": {"value": value}}
        if self.acknowledged.get(name) is None:
            return "POST", CONFIGMAPS, body
        if int(value) % 3 == 0:
            return "DELETE", f"{CONFIGMAPS}/{name}", None
        return "PUT", f"{CONFIGMAPS}/{name}", body

    def _watch(self) -> None:
        version, caught_up = "", False
        while not caught_up:
            last = self._over.is_set()  # then one more watch takes what came before its beginning
            with suppress(*BROKEN):
                connection = Connection(self._cluster)
                version = version or self._list(connection)
                query = f"watch=1&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds=3"
                answer = connection.open("GET", f"{CONFIGMAPS}?{query}")
                if answer.status == 410:  # what came meanwhile is not remembered
                    version = ""
                    continue
                while line := answer.readline():
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        version = ""
                        break
                    version = event["object"]["metadata"]["resourceVersion"]
                    self._take(event["type"], event["object"])
                caught_up = last and bool(version)
            time.sleep(0.05)

    def _list(self, connection: Connection) -> str:
        listed = json.load(connection.open("GET", CONFIGMAPS))
        self.relists += 1
        self.seen = {}
        for obj in listed["items"]:
            self._take("ADDED", obj)
        return str(listed["metadata"]["resourceVersion"])

    def _take(self, kind: str, obj: dict[str, Any]) -> None:
        if kind != "BOOKMARK":
            self.seen[obj["metadata"]["name"]] = None if kind == "DELETED" else (obj.get("data") or {}).get("value")


def _scale(replicas: int) -> dict[str, Any]:
    return {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web", "namespace": NAMESPACE},
            "spec": {"replicas": replicas}}  # fmt: skip


def choose(cluster: EmbeddedCluster, chance: random.Random) -> tuple[str, int] | None:
    """A process of the engine's family and what it is."""
    engine = cluster.state.engine_pid()
    if engine is None:
        return None
    pid = chance.choice(below(engine))
    if pid == engine or chance.random() < 0.1:
        return "the engine", engine
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return None
    line = " ".join(words)
    for part, what in (("network.agent", "the network agent"), ("engine.dns", "the name server"),
                       ("envoy", "an Envoy"), ("engine.ingress", "the ingress"), ("netexec", "a learner's pod"),
                       ("http_server", "a learner's pod")):  # fmt: skip
        if part in line:
            return what, pid
    return Path(words[0]).name or "another process", pid


def measures(cluster: EmbeddedCluster, times: int, seed: int) -> Iterator[Measure]:
    """Kills, and then the accounts."""
    chance = random.Random(seed)
    lab = Lab(cluster, KubeconfigApi(cluster.kubeconfig), NAMESPACE)
    lab.apply(web(2))
    lab.wait("service/web", "answers")
    address = lab.get("service/web")["spec"]["clusterIP"]
    settle(cluster.facts()["pid"])
    before = memory(cluster.facts()["pid"])
    load, took, victims, failed = Load(cluster), [], Counter[str](), []
    while victims.total() < times:
        time.sleep(PAUSE_SECONDS)
        chosen = choose(cluster, chance)
        if chosen is None:
            continue
        what, pid = chosen
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            victims[what] += 1
            seconds = recover(cluster, address, engine=what == "the engine")
            took.append((seconds, what))
            if seconds >= LONGEST_SECONDS:
                failed.append(what)
    time.sleep(1)
    load.stop()
    middle, worst = statistics.median(seconds for seconds, _ in took), max(took)[0]
    yield Measure("answers again after a kill, median", middle, "s", MARK_SECONDS)
    yield Measure("answers again after a kill, worst", worst, "s", MARK_SECONDS, detail=", ".join(
        f"{what} {number} times, {max(seconds for seconds, its in took if its == what):.1f} s"
        for what, number in victims.most_common()
    ))  # fmt: skip
    there = {obj["metadata"]["name"]: (obj.get("data") or {}).get("value") for obj in lab.find("configmaps")}
    lost = [name for name, value in load.acknowledged.items()
            if name not in load.unsure and there.get(name) != value]  # fmt: skip
    yield Measure("acknowledged and lost", len(lost), "", 0, detail=f"of {len(load.acknowledged)} objects")
    seen = {name: value for name, value in load.seen.items() if value is not None}
    mine = {name: value for name, value in there.items() if name.startswith("note-")}
    missed = sum(seen.get(name) != value for name, value in mine.items())
    yield Measure("missed by the watcher", missed, "", 0, detail=f"which listed {load.relists} times")
    settle(cluster.facts()["pid"])
    after = memory(cluster.facts()["pid"])
    yield Measure("memory more", (after[0] - before[0]) / 1e6, "MB", 60, detail=f"{before[1]} → {after[1]} processes")
    family = Descendants(cluster.facts()["pid"])
    root = str(cluster.state.root)
    cluster.down()
    left = leftovers(root)
    yield Measure("processes and mounts left", len(left) + (not family.wait(5)), "", 0, detail="; ".join(left[:3]))
    family.close()


def recover(cluster: EmbeddedCluster, address: str, *, engine: bool) -> float:
    """Seconds until the Service answers from a node again."""
    code = f"import urllib.request; urllib.request.urlopen('http://{address}/', timeout=0.3)"
    begin = time.perf_counter()
    while (seconds := time.perf_counter() - begin) < LONGEST_SECONDS:
        with suppress(ClusterError):
            if engine or cluster.state.engine_pid() is None:
                cluster.up()
                engine = False
            if cluster.nodes()[1].run(["/usr/bin/env", "python3", "-c", code], timeout_seconds=2).code == 0:
                return time.perf_counter() - begin
        time.sleep(0.02)
    return seconds


def leftovers(root: str) -> list[str]:
    """Processes and mounts of this machine that tell of a cluster's directory."""
    found = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines() if root in line]
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (process / "cmdline").read_text(errors="replace").replace("\0", " ")
            if root in line:
                found.append(line[:80])
    return found


def main(sizes: tuple[int, ...] = (KILLS, SEED)) -> None:
    """Print a line for each measure as it comes."""
    times, seed = (*sizes, SEED)[:2]
    os.environ["KUBELAB_NAME"] = NAME
    cluster = EmbeddedCluster(NAME)
    try:
        cluster.up()
        print(f"  on the tier {cluster.facts()['tier']!r}", flush=True)
        for measure in measures(cluster, times, seed):
            print(measure, flush=True)
    finally:
        cluster.down()
