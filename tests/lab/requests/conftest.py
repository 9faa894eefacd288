"""A lab in memory whose requests are answered by whom a test says, and a real one with servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.lab import Lab
from kubelab.lab.api import KubeconfigApi
from kubelab.lab.requests import Reply, Requests
from kubelab.lab.testing import FakeApi, FakeCluster, FakeLab

SERVER = Path(__file__).parents[3] / "kubelab" / "course" / "programs" / "server.py"
SERVICES = ("one", "two", "three", "rest")
INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
spec:
  ingressClassName: kubelab
  rules:
  - host: shop.test
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
      - {path: /api, pathType: Exact, backend: {service: {name: api, port: {number: 80}}}}
"""


def reply(url, words):
    if words.isdigit():
        return Reply(url, code=int(words))
    if words in ("timeout", "refused"):
        return Reply(url, error=words)
    return Reply(url, code=200, pod=f"{words}-1", workload=words, services=(words,))


class AnsweringLab(FakeLab):
    """``said``: what is answered, by URL; a list is used up and its last one stays."""

    def __init__(self, api):
        super().__init__(FakeCluster(), api, "lesson")
        self.said = {}
        self.asked = []

    def requests(self, *urls, **asked):
        self.asked.append(list(urls))
        return Requests(reply(url, self._next(url)) for url in urls)

    def _next(self, url):
        words = self.said.get(url, "404")
        if isinstance(words, str):
            return words
        return words.pop(0) if len(words) > 1 else words[0]


def answering_lab():
    lab = AnsweringLab(FakeApi())
    for name in ("web", "api"):
        labels = {"app": name}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": name, "image": "python:3.12"}]}}
        deployment = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
        lab.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": deployment})
        spec = {"ports": [{"port": 80}], "selector": labels}
        lab.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})
    lab.apply(INGRESS)
    lab.said = {"http://shop.test/": "web", "http://shop.test/api": "api", "http://shop.test/x": "web"}
    return lab


@pytest.fixture
def shop():
    """A lab with the Ingress shop: ``/`` is web's, exactly ``/api`` is api's; it answers so, too."""
    return answering_lab()


def server(name):
    environment = {"POD_NAME": "metadata.name", "POD_UID": "metadata.uid"}
    container = {
        "name": "server", "image": "python:3.12", "command": ["python3", "/app/server.py"],
        "env": [{"name": key, "valueFrom": {"fieldRef": {"fieldPath": path}}} for key, path in environment.items()],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1},
        "volumeMounts": [{"name": "program", "mountPath": "/app"}],
    }  # fmt: skip
    volumes = [{"name": "program", "configMap": {"name": "server"}}]
    pod = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container], "volumes": volumes}}
    selector = {"app": name}
    return [
        {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"replicas": 2, "selector": {"matchLabels": selector}, "template": pod},
        },
        {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": selector, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
        },
    ]  # fmt: skip


@pytest.fixture(scope="session")
def cluster_with_servers(tmp_path_factory):
    """A cluster of our own with four servers and no Ingress."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBELAB_HOME", str(tmp_path_factory.mktemp("home")))
        cluster = EmbeddedCluster("requests")
        try:
            cluster.up()
            if not cluster.facts()["ingress"]:
                pytest.skip("there is no Envoy on this platform")
            lab = Lab(cluster, KubeconfigApi(cluster.kubeconfig), "requests")
            program = {"server.py": SERVER.read_text()}
            lab.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "server"}, "data": program})
            for name in SERVICES:
                lab.apply(server(name))
            for name in SERVICES:
                lab.wait(f"deployment/{name}")
            first = {"defaultBackend": {"service": {"name": "rest", "port": {"name": "http"}}}}
            lab.apply(
                {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "first"}, "spec": first}
            )
            lab.wait("ingress/first")  # the controller is there
            lab.delete("ingress/first")
            yield lab
        finally:
            cluster.down()
