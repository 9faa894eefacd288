"""The ingress held against its marks; ``python -m benchmarks ingress``.

Its requests a second are compared with those of plain Envoys: as many processes with as many workers, on the same node,
with the same backend, behind a Service of the same kind, a log line a request. They are asked for one after the other
in short runs, by ``wrk`` outside the cluster. Whether something is served is asked at this machine's port.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import bare_envoy
from benchmarks.measure import Measure
from benchmarks.processes import pss
from kubelab.clusters.descendants import below
from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.lab import Lab
from kubelab.lab.api import KubeconfigApi

NAME = "bench-ingress"
NAMESPACE = "bench"
SYSTEM, CONTROLLER = "kubelab-ingress", "kubelab-ingress-controller"
HOST = "salt.test"

ROUNDS = 8
CONNECTIONS = 32
CHANGES = 15
ROTATIONS = 4
HANDSHAKES_PER_SECOND = 50
MANY = 1000
WRITERS = 4
PATIENCE_SECONDS = 60


class Door:
    """The ingress on this machine."""

    def __init__(self, cluster: EmbeddedCluster) -> None:
        self._port = cluster.loopback[80]

    def serves(self, host: str) -> bool:
        """Ask once, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", "/", headers={"Host": host})
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def serves_all(self, hosts: Iterable[str]) -> bool:
        """Ask for each once, on one connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            return all(_asked(connection, host) == 200 for host in hosts)
        finally:
            connection.close()


def _asked(connection: http.client.HTTPConnection, host: str) -> int:
    connection.request("GET", "/", headers={"Host": host})
    response = connection.getresponse()
    response.read()
    return response.status


def until(check: Callable[[], bool], what: str) -> None:
    """Look again and again, without wearing the machine out. Raises SystemExit."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not check():
        if time.monotonic() > deadline:
            raise SystemExit(f"After {PATIENCE_SECONDS} s {what}.")
        time.sleep(0.002)


def ingress(name: str, host: str, **spec: Any) -> dict[str, Any]:
    """Everything of a host to the backend."""
    backend = {"service": {"name": "salt", "port": {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata,
            "spec": {"rules": [rule], **spec}}  # fmt: skip


def measures(cluster: EmbeddedCluster) -> Iterator[Measure]:
    """All of them, of a cluster that is up."""
    lab = Lab(cluster, KubeconfigApi(cluster.kubeconfig), NAMESPACE)
    system = Lab(cluster, lab.api, SYSTEM)
    door = Door(cluster)
    prepare(lab, system)
    until(lambda: door.serves(HOST), "the ingress serves nothing")
    if shutil.which("wrk"):
        yield from throughput(lab, system)
    else:
        print("  without wrk nothing is known of requests a second")
    yield memory(cluster, "one Ingress")
    yield applied(lab, door)
    yield from rotations(lab)
    yield many(lab, door)
    yield memory(cluster, f"{MANY} Ingresses")


def prepare(lab: Lab, system: Lab) -> None:
    """The backend and the plain Envoys stand where the ingress does."""
    system.wait(f"deployment/{CONTROLLER}")
    node = system.find("pods")[0]["spec"]["nodeName"]
    lab.apply(bare_envoy.backend(node))
    lab.wait("deployment/salt")
    target = lab.find("pods", "app=salt")[0]["status"]["podIP"]
    lab.apply([*bare_envoy.plain(node, target), *bare_envoy.silent(node, target), ingress("salt", HOST)])
    for name in ("plain", "silent"):
        lab.wait(f"deployment/{name}")
        until(lambda name=name: "loadBalancer" in lab.get(f"service/{name}")["status"], f"{name} has no address")
        until(lambda name=name: wrk(lab, _address(lab, name)) > 0, f"{name} does not answer")


def _address(lab: Lab, service: str) -> str:
    return lab.get(f"service/{service}")["status"]["loadBalancer"]["ingress"][0]["ip"]


def throughput(lab: Lab, system: Lab) -> Iterator[Measure]:
    """The median of what each round says; who goes first takes turns."""
    ways = {
        "ingress": _address(system, CONTROLLER),
        "plain": _address(lab, "plain"),
        "silent": _address(lab, "silent"),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS + 1):
        for name in sorted(ways, reverse=bool(turn % 2)):
            rate = requests_a_second(lab, ways[name])
            if turn > 0:  # the first round is to warm up
                rates[name].append(rate)
    ours = statistics.median(rates["ingress"])
    for name, what, mark in (
        ("plain", "Ingress ÷ plain Envoys", 0.95),
        ("silent", "Ingress ÷ one Envoy that writes no log", None),
    ):
        share = statistics.median(mine / its for mine, its in zip(rates["ingress"], rates[name], strict=True))
        detail = f"{ours:.0f} ÷ {statistics.median(rates[name]):.0f} requests/s"
        yield Measure(what, share, "", mark, at_least=True, detail=detail)


def requests_a_second(lab: Lab, address: str) -> float:
    """Of one second. Raises SystemExit when an answer was not 200."""
    rate = wrk(lab, address)
    if not rate:
        raise SystemExit(f"wrk had wrong answers, or none, from {address}.")
    return rate


def wrk(lab: Lab, address: str) -> float:
    """Requests a second; 0 when not all were answered with 200."""
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", "-d1s", "-H", f"Host: {HOST}", f"http://{address}/"]
    done = lab.cluster.outside.run(argv)
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    return float(found[1]) if found and "Non-2xx" not in done.stdout else 0.0


def memory(cluster: EmbeddedCluster, when: str) -> Measure:
    """What the ingress' pod takes beside its Envoys: process 1 and the controller."""
    sizes = {pid: pss(pid) for pid in below(cluster.facts()["pid"]) if b"kubelab.engine.ingress" in _command(pid)}
    told = " + ".join(f"{size / 1e6:.0f}" for size in sizes.values())
    return Measure(f"controller beside Envoy, {when} (PSS)", sum(sizes.values()) / 1e6, "MB", 60, detail=told)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def applied(lab: Lab, door: Door) -> Measure:
    """From the first byte of the request to the API."""
    took = []
    for number in range(CHANGES):
        begin = time.perf_counter()
        lab.apply(ingress("fresh", f"fresh-{number}.test"))
        until(lambda number=number: door.serves(f"fresh-{number}.test"), "the new host is not served")
        took.append(time.perf_counter() - begin)
    detail = f"from {1000 * min(took):.0f} to {1000 * max(took):.0f}"
    return Measure("apply → served", 1000 * statistics.median(took), "ms", 300, detail=detail)


def rotations(lab: Lab) -> Iterator[Measure]:
    """New certificates for a host while clients shake hands all the time."""
    lab.certificate(HOST, secret="salt-tls")
    lab.apply(ingress("salt", HOST, tls=[{"hosts": [HOST], "secretName": "salt-tls"}]))
    until(lambda: lab.tls(HOST).verified is True, "the certificate is not served")
    with lab.watch_tls(HOST, rate=HANDSHAKES_PER_SECOND) as watch:
        for number in range(ROTATIONS):
            with watch.event(f"{number}"):
                lab.certificate(HOST, secret="salt-tls")
    took = [event.ended - event.began + watch.took(event.name) for event in watch.events]
    detail = f"{len(watch.handshakes)} handshakes, {watch.rate:.0f} a second"
    yield Measure("new certificate served", max(took), "s", 1, detail=f"the slowest of {ROTATIONS}")
    yield Measure("failed handshakes meanwhile", watch.failed, "", 0, detail=detail)


def many(lab: Lab, door: Door) -> Measure:
    """From the first of them sent to the API until each writer's last one is served: then all have to be."""
    names = [f"many-{number}" for number in range(MANY)]
    shares = [[ingress(name, f"{name}.test") for name in names[first::WRITERS]] for first in range(WRITERS)]
    begin = time.perf_counter()
    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(lab.apply, shares))
    written = time.perf_counter() - begin
    for name in names[-WRITERS:]:
        until(lambda name=name: door.serves(f"{name}.test"), f"{name} is not served")
    took = time.perf_counter() - begin
    if not door.serves_all(f"{name}.test" for name in names):
        raise SystemExit("The last Ingresses are served, and earlier ones are not.")
    return Measure(f"{MANY} Ingresses served", took, "s", 5, detail=f"{written:.1f} s of it until the API had them")


def report(name: str, of: Callable[[EmbeddedCluster], Iterator[Measure]]) -> None:
    """Print a line for each measure of a cluster of that name as it comes."""
    os.environ["KUBELAB_NAME"] = name
    cluster = EmbeddedCluster(name)
    try:
        cluster.up()
        if "ingress" not in cluster.capabilities:
            print("  there is no Envoy on this platform, and so no ingress")
            return
        for measure in of(cluster):
            print(measure, flush=True)
        print(f"  on the tier {cluster.facts()['tier']!r}", flush=True)
    finally:
        cluster.down()


def main() -> None:
    """Print a line for each measure as it comes."""
    report(NAME, measures)
