from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubelab.clusters.existing import cluster as cluster_module
from kubelab.clusters.existing.access import Refused
from kubelab.clusters.existing.cluster import Asked, ExistingCluster

NAMESPACE = "/api/v1/namespaces/team-blue"
HEEDED = ("KUBECONFIG", "KUBELAB_CONTEXT", "KUBELAB_NAMESPACE", "KUBELAB_IMAGE", "KUBELAB_NAME", "KUBELAB_ON")


class FakeAccess:
    """Somebody's cluster: objects by path, and what one may not do there."""

    server = "https://api.classroom.example:6443"

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {NAMESPACE: {"metadata": {"name": "team-blue"}}}
        self.denied: set[str] = {"list nodes", "create namespaces"}
        """``verb resource``, as `kubectl auth can-i` takes it."""
        self.nodes = ["one", "two"]
        self.classes: list[str] | None = []
        """IngressClasses; None: they may not be seen."""
        self.served: set[str] = set()
        """Whose Ingresses get an address."""
        self.pod_is_refused = ""
        self.pod_status: dict[str, Any] = {"phase": "Succeeded"}
        self.asked: list[tuple[str, str]] = []

    def put(self, collection: str, name: str, labels: dict[str, str] | None = None, **metadata: Any) -> None:
        """An object that is there."""
        made = {"name": name, "uid": f"uid-{name}", "labels": labels or {}, **metadata}
        self.objects[f"{collection}/{name}"] = {"metadata": made}

    def together(self, questions: list[Any]) -> list[Any]:
        return [question() for question in questions]

    def ask(self, method: str, path: str, query: Any = None, body: Any = None) -> dict[str, Any]:
        self.asked.append((method, path))
        if path == "/version":
            return {"gitVersion": "v1.36.2"}
        if path.endswith("selfsubjectaccessreviews"):
            return {"status": {"allowed": self._says(body["spec"]["resourceAttributes"]) not in self.denied}}
        if path == "/api/v1/nodes":
            return self._listed_nodes()
        if path.endswith("/ingressclasses"):
            if self.classes is None:
                raise Refused(403, "Forbidden", "ingressclasses is forbidden")
            return {"items": [{"metadata": {"name": name}} for name in self.classes]}
        if (query or {}).get("dryRun"):
            if self.pod_is_refused:
                raise Refused(403, "Forbidden", self.pod_is_refused)
            return {}
        return getattr(self, f"_{method.lower()}")(path, query or {}, body)

    @staticmethod
    def _says(attributes: dict[str, str]) -> str:
        sub = f"/{attributes['subresource']}" if attributes["subresource"] else ""
        return f"{attributes['verb']} {attributes['resource']}{sub}"

    def _listed_nodes(self) -> dict[str, Any]:
        if "list nodes" in self.denied:
            raise Refused(403, "Forbidden", "nodes is forbidden")
        return {"items": [{"metadata": {"name": name}} for name in self.nodes]}

    def _get(self, path: str, query: dict[str, str], body: Any) -> dict[str, Any]:
        if path in self.objects:
            return self.objects[path]
        if "labelSelector" not in query:
            raise Refused(404, "NotFound", f"{path} not found")
        wanted = "!=" not in query["labelSelector"]
        label = "app.kubernetes.io/managed-by"
        items = [
            found
            for where, found in self.objects.items()
            if where.rpartition("/")[0] == path and (found["metadata"]["labels"].get(label) == "kubelab") is wanted
        ]
        return {"items": items}

    def _post(self, path: str, query: dict[str, str], body: Any) -> dict[str, Any]:
        status = {"status": self.pod_status} if path.endswith("/pods") else {}
        if path.endswith("/ingresses") and body["spec"]["ingressClassName"] in self.served:
            status = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}}
        self.objects[f"{path}/{body['metadata']['name']}"] = {**body, **status}
        return body

    def _delete(self, path: str, query: dict[str, str], body: Any) -> dict[str, Any]:
        del self.objects[path]
        return {}


def kubeconfig(name: str = "classroom", server: str = "https://api.classroom.example:6443", **context: str) -> str:
    """A kubeconfig with one context."""
    return yaml.safe_dump(
        {
            "clusters": [{"name": "shared", "cluster": {"server": server}}],
            "users": [{"name": "learner", "user": {"token": "secret"}}],
            "contexts": [{"name": name, "context": {"cluster": "shared", "user": "learner", **context}}],
            "current-context": name,
        }
    )


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """My kubeconfig."""
    for variable in HEEDED:
        monkeypatch.delenv(variable, raising=False)
    file = tmp_path / "config"
    file.write_text(kubeconfig(namespace="team-blue"))
    monkeypatch.setenv("KUBECONFIG", str(file))
    return file


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> FakeAccess:
    """The cluster that it leads to."""
    fake = FakeAccess()
    monkeypatch.setattr(cluster_module, "Access", lambda kubeconfig: fake)
    return fake


class Make:
    def __call__(self, **asked: Any) -> ExistingCluster:
        return ExistingCluster("classroom", Asked(**asked))


@pytest.fixture
def make(mine: Path, there: FakeAccess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """A cluster under a name of kubelab's, with its state in a home of its own."""
    monkeypatch.setenv("KUBELAB_HOME", str(tmp_path / "home"))
    yield Make()
