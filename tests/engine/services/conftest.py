"""One cluster with one Service of every kind, and the same question asked from everywhere."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.lab.api import KubeconfigApi
from kubelab.lab.errors import ApiError
from kubelab.lab.lab import Lab

HERE = Path(__file__).parent
SERVER, CLIENT = (HERE / "server.py").read_text(), (HERE / "client.py").read_text()
SECONDS_TO_SETTLE = 15.0


def pod(name: str, node: str, *ports: int, app: str = "", ready: bool = True, grace: int = 1, **spec) -> dict:
    """A server on a node; its first port is called ``serve``, or ``serve-udp`` for datagrams."""
    named = [("serve", "TCP"), ("serve-udp", "UDP")]
    container = {
        "name": "server",
        "image": "python:3.12",
        "command": ["python3", "-c", SERVER, *map(str, ports)],
        "env": [{"name": "NAME", "value": name}],
        "ports": [{"name": word, "containerPort": ports[0], "protocol": proto} for word, proto in named],
        "readinessProbe": {"tcpSocket": {"port": ports[0] if ready else 1}, "periodSeconds": 1},
    }
    spec = {"nodeName": f"services-{node}", "terminationGracePeriodSeconds": grace, "containers": [container], **spec}
    labels = {"pod": name, **({"app": app} if app else {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}


PODS = [
    pod("one", "worker", 8080, 7070, app="web"),
    pod("two", "worker2", 9090, 7070, app="web"),
    pod("three", "control-plane", 8080),
    pod("sick", "worker2", 8080, ready=False),
    pod("leaving", "worker2", 8080, grace=600),
    pod("host", "worker2", 8088, hostNetwork=True),
]
ZONES = {"worker": "a", "worker2": "b"}


class Scene:
    """The cluster, in the words of the table."""

    def __init__(self, cluster: EmbeddedCluster) -> None:
        self.cluster = cluster
        self.lab = Lab(cluster, KubeconfigApi(cluster.kubeconfig), "default")
        self.places = {"outside": cluster.outside} | {
            node.name.removeprefix("services-"): node for node in cluster.nodes()
        }

    def set_up(self) -> None:
        """Pods, then everything that needs their addresses; returns when all that should be ready is."""
        for node, zone in ZONES.items():
            self.label(node, "topology.kubernetes.io/zone", zone)
        self.eventually(lambda: self._exists("/api/v1/namespaces/default/serviceaccounts/default"))
        self.lab.apply(PODS)
        for each in ("one", "two", "three", "leaving", "host"):
            self.lab.wait(f"pod/{each}", "ready")
        manifests = (HERE / "scene.yaml").read_text()
        for each in ("one", "two"):
            manifests = manifests.replace(f"{{{each}}}", self.ip(each))
        self.lab.apply(manifests)
        self.lab.delete("pod/leaving")

    def _exists(self, path: str) -> bool:
        try:
            self.lab.api.request("GET", path)
        except ApiError as error:
            if error.status != 404:
                raise
            return False
        return True

    def label(self, node: str, key: str, value: str | None) -> None:
        """Set a node's label, or take it away."""
        path = f"/api/v1/nodes/services-{node}"
        known = self.lab.api.request("GET", path)
        del known["metadata"]["resourceVersion"]  # the node's own agent writes it too
        labels = {**known["metadata"]["labels"], key: value}
        known["metadata"]["labels"] = {each: text for each, text in labels.items() if text is not None}
        self.lab.api.request("PUT", path, body=known)

    def ip(self, name: str) -> str:
        """A pod's address."""
        return self.lab.get(f"pod/{name}")["status"]["podIP"]

    def cluster_ip(self, name: str) -> str:
        """A Service's address, or the text itself where it is one already."""
        return name if name[0].isdigit() else self.lab.get(f"service/{name}")["spec"]["clusterIP"]

    def run(self, source: str, argv: list[str]) -> str:
        """A Python program in a pod, on a node or outside: what it printed."""
        if source in self.places:
            done = self.places[source].run([sys.executable, *argv])
        else:
            done = self.lab.exec(source, ["python3", *argv])
        assert done.code == 0, done.stderr
        return done.stdout

    def ask(self, source: str, target: str, times: int) -> dict[str, set[str]]:
        """Who answers ``tcp:host:port``, or what goes wrong: each with the clients' addresses that were seen."""
        protocol, host, port = target.split(":")
        answers: dict[str, set[str]] = {}
        for name, peer in json.loads(self.run(source, ["-c", CLIENT, protocol, host, port, str(times)])):
            answers.setdefault(name, set()).add(peer)
        return answers

    def settled(self, source: str, target: str, wanted: dict[str, set[str] | None]) -> dict[str, set[str]]:
        """What `ask` says as soon as it is what is wanted, or at last."""
        # A kernel sends six refusals and then one a second (icmp_ratelimit), so those who expect them ask twice only.
        times = 20 if wanted.keys() & {each["metadata"]["name"] for each in PODS} else 2
        deadline = time.monotonic() + SECONDS_TO_SETTLE
        while True:
            heard = self.ask(source, target, times)
            if heard.keys() == wanted.keys() and all(peers in (None, heard[name]) for name, peers in wanted.items()):
                return heard
            if time.monotonic() > deadline:
                return heard
            time.sleep(0.1)

    def eventually(self, look: Callable[[], object]) -> None:
        """Look again until it is true. AssertionError when it does not become so."""
        deadline = time.monotonic() + SECONDS_TO_SETTLE
        while not look():
            assert time.monotonic() < deadline, f"not true within {SECONDS_TO_SETTLE:g} s"
            time.sleep(0.1)


@pytest.fixture(scope="package")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The scene on the best network that this machine allows (``KUBELAB_TIER`` chooses another)."""
    patch = pytest.MonkeyPatch()
    patch.setenv("KUBELAB_HOME", str(tmp_path_factory.mktemp("home")))
    cluster = EmbeddedCluster("services")
    try:
        cluster.up()
        made = Scene(cluster)
        made.set_up()
        yield made
    finally:
        cluster.down()
        patch.undo()
