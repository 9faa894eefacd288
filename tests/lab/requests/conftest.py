"""A lab in memory with an Ingress, whose requests are answered by whom a test says."""

from __future__ import annotations

import pytest

from kubelab.lab.requests import Reply, Requests
from kubelab.lab.testing import FakeApi, FakeCluster, FakeLab

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
