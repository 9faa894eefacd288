"""The API server and the nodes under many objects: ``python -m benchmarks api``.

Beside an API server of the same machine with etcd: over HTTPS, JSON, one connection kept alive.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import statistics
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import yaml

from benchmarks.measure import Measure
from benchmarks.processes import memory
from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.lab import Lab
from kubelab.lab.api import KubeconfigApi

NAME = "bench-api"
NAMESPACE = "bench"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
CREATED = 1000
GETS = 500
LISTS = 20
DELIVERED = 200
RUNNING = (10, 100, 200)


class Connection:
    """One HTTPS connection to the API, kept alive."""

    def __init__(self, cluster: EmbeddedCluster) -> None:
        known = yaml.safe_load(cluster.kubeconfig.read_text())
        target, self._token = known["clusters"][0]["cluster"], known["users"][0]["user"]["token"]
        authority = ssl.create_default_context(cadata=_pem(target["certificate-authority-data"]))
        host, _, port = target["server"].removeprefix("https://").partition(":")
        self._connection = http.client.HTTPSConnection(host, int(port), context=authority, timeout=60)

    def open(self, method: str, path: str, body: Any = None) -> http.client.HTTPResponse:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        self._connection.request(method, path, body and json.dumps(body), headers)
        return self._connection.getresponse()

    def timed(self, method: str, path: str, body: Any = None) -> float:
        """Milliseconds until the whole answer was there. Raises SystemExit for one that is an error."""
        begin = time.perf_counter()
        response = self.open(method, path, body)
        answer = response.read()
        if response.status >= 400:
            raise SystemExit(f"{method} {path}: {response.status} {answer[:300].decode()}")
        return 1000 * (time.perf_counter() - begin)

    def close(self) -> None:
        self._connection.close()


def _pem(encoded: str) -> str:
    return b64decode(encoded).decode()


def pod(name: str) -> dict[str, Any]:
    """One that no node takes: the API server alone is measured."""
    container = {"name": "web", "image": "registry.k8s.io/pause:3.10", "env": [{"name": "GREETING", "value": "hello"}]}
    spec = {"nodeSelector": {"no": "where"}, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}}, "spec": spec}


def requests(cluster: EmbeddedCluster) -> Iterator[Measure]:
    """The verbs, one after the other."""
    with closing(Connection(cluster)) as api, closing(Connection(cluster)) as watcher:
        created = [api.timed("POST", PODS, pod(f"pod-{number}")) for number in range(CREATED)]
        yield Measure("pod create, median", statistics.median(created), "ms", 3.3, detail=f"of {CREATED:,}")
        got = [api.timed("GET", f"{PODS}/pod-{number}") for number in range(GETS)]
        yield Measure("pod get, median", statistics.median(got), "ms", 1.3, detail=f"of {GETS}")
        listed = [api.timed("GET", PODS) for _ in range(LISTS)]
        yield Measure(f"list of {CREATED:,} pods, median", statistics.median(listed), "ms", 45, detail=f"of {LISTS}")
        delivered = list(_deliveries(api, watcher))
        yield Measure(
            "create → watch delivery, median", statistics.median(delivered), "ms", 3.6, detail=f"of {DELIVERED}"
        )
        api.timed("DELETE", PODS)


def _deliveries(api: Connection, watcher: Connection) -> Iterator[float]:
    stream = watcher.open("GET", f"{PODS}?watch=1&labelSelector=delivery")
    for number in range(DELIVERED):
        body = pod(f"delivered-{number}")
        body["metadata"]["labels"] = {"delivery": "yes"}
        begin = time.perf_counter()
        api.timed("POST", PODS, body)
        while (event := json.loads(stream.readline()))["type"] != "ADDED":
            pass  # the scheduler says that it finds no node for the one before
        assert event["object"]["metadata"]["name"] == f"delivered-{number}"
        yield 1000 * (time.perf_counter() - begin)


def running(lab: Lab, cluster: EmbeddedCluster) -> Iterator[Measure]:
    """Pods from none to Ready, and what the whole engine weighs with them."""
    for many in RUNNING:
        template = {"metadata": {"labels": {"app": "many"}}, "spec": {"containers": pod("any")["spec"]["containers"]}}
        spec = {"replicas": many, "selector": {"matchLabels": {"app": "many"}}, "template": template}
        deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": f"many-{many}"}, "spec": spec}
        begin = time.perf_counter()
        lab.apply(deployment)
        lab.wait(f"deployment/many-{many}", timeout=120)
        seconds = time.perf_counter() - begin
        size, processes = memory(cluster.facts()["pid"])
        told = f"the engine then {size / 1e6:.0f} MB in {processes} processes"
        yield Measure(f"{many} pods Ready", seconds, "s", 20 if many == RUNNING[-1] else None, detail=told)
        if many != RUNNING[-1]:
            lab.delete(f"deployment/many-{many}")
            _until_gone(lab)
    begin = time.perf_counter()
    cluster.reset()
    yield Measure(f"reset with {RUNNING[-1]} pods", time.perf_counter() - begin, "s", 5)


def _until_gone(lab: Lab) -> None:
    while lab.find("pods", "app=many"):
        time.sleep(0.05)


def main() -> None:
    """Print a line for each measure as it comes."""
    os.environ["KUBELAB_NAME"] = NAME
    cluster = EmbeddedCluster(NAME)
    cluster.down()
    try:
        cluster.up()
        lab = Lab(cluster, KubeconfigApi(cluster.kubeconfig), NAMESPACE)
        lab.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        for measures in (requests(cluster), running(lab, cluster)):
            for measure in measures:
                print(measure, flush=True)
    finally:
        cluster.down()
