"""One cluster with a server behind an Ingress, reached as the learner's browser reaches it."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.lab import Lab
from kubelab.lab.api import KubeconfigApi

BACKEND = Path(__file__).with_name("backend.py").read_text()
HOST = "shop.example.test"
SECONDS = 30.0


class Reply:
    """An answer: ``status``, ``headers`` and ``text``."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers = response.status, response.headers
        self.text = response.read().decode()

    @property
    def seen(self) -> dict[str, Any]:
        """What the server saw."""
        return json.loads(self.text)


class Door:
    """The cluster's ingress on this machine."""

    host = HOST

    def __init__(self, lab: Lab) -> None:
        self.ingress, self.eventually, self.reply = ingress, eventually, Reply
        self.lab = lab
        self.system = Lab(lab.cluster, lab.api, "kubelab-ingress")

    def get(self, path: str = "/", host: str = HOST, **headers: str) -> Reply:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.lab.cluster.loopback[80], timeout=10)
        try:
            connection.request("GET", path, headers={"Host": host, **headers})
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def is_open(self) -> bool:
        """Whether the load balancer leads to the proxy by now."""
        try:
            return self.get().status == 200
        except OSError:
            return False

    def connect(self) -> socket.socket:
        """A connection to port 80."""
        return socket.create_connection(("127.0.0.1", self.lab.cluster.loopback[80]), timeout=10)

    def certificate(self, name: str = HOST) -> bytes:
        """What a handshake with this name brings (DER)."""
        context = ssl._create_unverified_context()
        with (
            socket.create_connection(("127.0.0.1", self.lab.cluster.loopback[443]), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=name) as made,
        ):
            certificate = made.getpeercert(binary_form=True)
        assert certificate is not None
        return certificate

    def address(self, name: str) -> list[dict[str, str]]:
        """What the status of an Ingress says."""
        return self.lab.get(f"ingress/{name}")["status"].get("loadBalancer", {}).get("ingress", [])

    def reasons(self, name: str) -> set[str]:
        """Those of an Ingress's events."""
        return {
            each["reason"]
            for each in self.lab.find("events")
            if (each["involvedObject"]["kind"], each["involvedObject"]["name"]) == ("Ingress", name)
        }

    def complaints(self) -> str:
        """What the engine says of connections that it could not carry on."""
        log = self.lab.cluster.state.log.read_text()
        return "\n".join(line for line in log.splitlines() if "doorway" in line or "balancer" in line)

    def in_controller(self, program: str) -> None:
        """Run a Python program in the ingress controller's pod."""
        pods = [each for each in self.system.pods() if each.ready]
        done = self.system.exec(pods[0].name, ["python3", "-c", program])
        assert done.code == 0, done.stderr

    @contextmanager
    def under_load(self) -> Iterator[None]:
        """Ask on three threads, each request on a connection of its own; every answer has to be 200."""
        came: Counter[str] = Counter()
        over = threading.Event()

        def work() -> None:
            while not over.wait(0.01):
                try:
                    reply = self.get()
                    came["200" if reply.status == 200 else reply.text] += 1
                except OSError as error:
                    came[type(error).__name__] += 1

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert set(came) == {"200"}


def eventually(check: Callable[[], bool]) -> None:
    """Return when it holds."""
    deadline = time.monotonic() + SECONDS
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ingress(name: str, host: str = HOST, service: str = "web", port: str = "http", **spec: Any) -> dict[str, Any]:
    backend = {"service": {"name": service, "port": {"name": port}}}
    rules = [{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name},
        "spec": {"ingressClassName": "kubelab", "rules": rules, **spec},
    }


def server() -> list[dict[str, Any]]:
    container = {
        "name": "server",
        "image": "python:3.12",
        "command": ["python3", "-c", BACKEND],
        # On a machine that has no time to spare, too, a pod that was ready stays so.
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 30},
        "lifecycle": {"preStop": {"sleep": {"seconds": 2}}},
    }
    ports = [
        {"name": "http", "port": 80, "targetPort": 8080},
        {"name": "h2c", "port": 81, "targetPort": 8080, "appProtocol": "kubernetes.io/h2c"},
    ]
    spec = {"containers": [container], "terminationGracePeriodSeconds": 4}
    pod = {"metadata": {"labels": {"app": "web"}}, "spec": spec}
    deployment = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": pod}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": deployment},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
         "spec": {"selector": {"app": "web"}, "ports": ports}},
    ]  # fmt: skip


@pytest.fixture(scope="package")
def cluster(tmp_path_factory):
    """A cluster with an ingress."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBELAB_HOME", str(tmp_path_factory.mktemp("home")))
        cluster = EmbeddedCluster("doors")
        try:
            cluster.up()
            if "ingress" not in cluster.capabilities:
                pytest.skip("there is no Envoy on this platform")
            yield cluster
        finally:
            cluster.down()


@pytest.fixture(scope="module")
def door(cluster):
    """An Ingress ``shop`` that is served, in a namespace that is empty otherwise."""
    lab = Lab(cluster, KubeconfigApi(cluster.kubeconfig), "doors")
    lab.reset()
    lab.apply(server())
    lab.apply(ingress("shop"))
    lab.wait("deployment/web")
    door = Door(lab)
    eventually(lambda: door.address("shop") != [])
    eventually(door.is_open)
    return door
