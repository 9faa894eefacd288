"""A cluster in memory, for tests of lessons and checks: no process, no socket, no waiting.

Pods of a Deployment are there and ready at once; requests are answered by whoever stands behind the name or the
address. It knows just enough to try a lesson's code; how Kubernetes behaves is tested on a real cluster.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kubelab.clusters.base import Capability, Finished, Node, ProxyMode, Status
from kubelab.lab.api import Lines, Object, Stream
from kubelab.lab.errors import ApiError, CannotRun
from kubelab.lab.lab import Lab
from kubelab.routing.ingress import CONTROLLER

if TYPE_CHECKING:
    from kubelab.lab.authority import Authority
    from kubelab.lab.requests import Requests

STREAM_SECONDS = 0.001
"""The beat of a stream's answers."""
_CLASS: Object = {"metadata": {"name": "kubelab"}, "spec": {"controller": CONTROLLER}}
_CLASS_PATH = "/apis/networking.k8s.io/v1/ingressclasses/kubelab"


def fake_lab(namespace: str = "lesson") -> Lab:
    """A `Lab` on a cluster in memory; its API is ``lab.api``, a `FakeApi`."""
    return FakeLab(FakeCluster(), FakeApi(), namespace)


class FakeLab(Lab):
    """A lab that keeps nothing on disk, and whose requests are answered as its objects ask for."""

    api: FakeApi

    def requests(self, *urls: str, n: int = 1, headers: Mapping[str, str] | None = None, **asked: Any) -> Requests:
        from kubelab.lab.requests.sending import Asked
        from kubelab.lab.requests.testing import answered

        return answered(self, self.api, Asked(urls, n, headers=tuple((headers or {}).items()), **asked))

    @cached_property
    def authority(self) -> Authority:
        from kubelab.lab.authority import Authority

        return Authority()


class FakeCluster:
    """A cluster without nodes."""

    name = "fake"
    provider = "fake"
    namespace = image = host = ingress_class = ""
    kubeconfig = Path("/nonexistent/kubeconfig")
    capabilities: frozenset[Capability] = frozenset()
    proxy_mode: ProxyMode = "iptables"
    loopback: Mapping[int, int] = {}

    def nodes(self) -> list[Node]:
        return []

    @property
    def outside(self) -> Node:
        return FakeOutside()

    def client_for(self, address: str) -> Node | None:
        return self.outside

    def up(self) -> None: ...
    def down(self) -> None: ...
    def reset(self) -> None: ...

    def set_proxy_mode(self, mode: ProxyMode) -> None:
        self.proxy_mode = mode

    def status(self) -> Status:
        return Status(True, "in memory")


class FakeOutside:
    """The street, from which nothing can be reached."""

    name = "outside"

    def run(self, argv: Sequence[str], *, stdin: str = "", timeout_seconds: float = 30) -> Finished:
        job = json.loads(stdin)["job"]
        refused = [
            json.dumps({"n": n, "at": n / 100, "seconds": 0.001, "error": "refused"}) for n in range(job["requests"])
        ]
        return Finished(0, "\n".join(['{"began": true}', *refused]), "")


class FakeApi:
    """Objects by path, with the least of the controllers."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {_CLASS_PATH: _CLASS}
        self.logs: dict[str, str] = {}
        """What `Lab.logs` shows, by pod name."""
        self.told: dict[str, Iterable[str]] = {}
        """What the next long answer (a watch, a followed log) tells, line by line, by path."""
        self.requests: list[tuple[str, str]] = []
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()

    def request(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Object | None = None
    ) -> Object:
        with self._lock:
            self.requests.append((method, path))
            answer = getattr(self, f"_{method.lower()}")(path, dict(query or {}), body)
            return copy.deepcopy(answer)

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        return self.logs.get(path.split("/")[-2], "")

    def lines(self, path: str, query: Mapping[str, str] | None = None) -> Lines:
        return FakeLines(self.told.pop(path, ()))

    def run(self, namespace: str, pod: str, argv: Sequence[str], container: str | None = None) -> Stream:
        if f"/api/v1/namespaces/{namespace}/pods/{pod}" not in self.objects:
            raise CannotRun(f"No command can be run in pod {pod}: it does not exist.")
        return FakeStream(self, namespace)

    def answering(self, namespace: str, host: str) -> list[Object] | str:
        """The pods that may answer for a host, or the kind of error that a client would get."""
        pods = self._listed(f"/api/v1/namespaces/{namespace}/pods")
        by_address = [pod for pod in pods if pod["status"]["podIP"] == host]
        if by_address:
            return by_address
        if host.replace(".", "").isdigit():
            return "timeout"
        service = self.objects.get(f"/api/v1/namespaces/{namespace}/services/{host.split('.')[0]}")
        if service is None:
            return "DNS"
        return self._selected(namespace, service) or "refused"

    def _selected(self, namespace: str, service: Object) -> list[Object]:
        wanted = (service["spec"].get("selector") or {}).items()
        pods = self._listed(f"/api/v1/namespaces/{namespace}/pods")
        return [pod for pod in pods if wanted and wanted <= (pod["metadata"].get("labels") or {}).items()]

    def _get(self, path: str, query: dict[str, str], body: None) -> Object:
        if path in self.objects:
            return self.objects[path]
        if path.endswith("/endpointslices") and query:
            return _list(self._slices(path.split("/")[-2], query["labelSelector"].split("=")[1]))
        if path == "/apis/discovery.k8s.io/v1/endpointslices":
            services = [each["metadata"] for each in self._listed("/api/v1/services")]
            return _list([piece for each in services for piece in self._slices(each["namespace"], each["name"])])
        if not _is_collection(path):
            raise _not_found(path)
        selector = dict(pair.split("=") for pair in query.get("labelSelector", "").split(",") if pair)
        found = self._listed(path)
        return _list([o for o in found if selector.items() <= (o["metadata"].get("labels") or {}).items()])

    def _post(self, path: str, query: dict[str, str], body: Object) -> Object:
        path = f"{path}/{body['metadata']['name']}"
        if path in self.objects:
            raise ApiError(409, "AlreadyExists", f"{path} already exists")
        return self._store(path, body)

    def _put(self, path: str, query: dict[str, str], body: Object) -> Object:
        if path not in self.objects:
            raise _not_found(path)
        return self._store(path, body)

    def _delete(self, path: str, query: dict[str, str], body: Object | None) -> Object:
        gone = self.objects.pop(path, None)
        if gone is None:
            raise _not_found(path)
        for owned in [
            p for p, o in self.objects.items() if _owner(o) == gone["metadata"]["name"] and "/deployments/" in path
        ]:
            del self.objects[owned]
        owner = path.rsplit("/pods/", 1)[0].replace("/api/v1", "/apis/apps/v1") + f"/deployments/{_owner(gone)}"
        if owner in self.objects:
            self._reconcile(owner)
        return {}

    def _store(self, path: str, body: Object) -> Object:
        body = copy.deepcopy(body)
        metadata, before = body["metadata"], self.objects.get(path)
        number = next(self._numbers)
        metadata.setdefault("uid", f"uid-{number}")
        if "/namespaces/" in path:
            metadata.setdefault("namespace", path.split("/namespaces/")[1].split("/")[0])
        metadata.setdefault("creationTimestamp", f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z")
        self.objects[path] = body
        if body.get("kind") == "Namespace":
            self.objects[f"{path}/serviceaccounts/default"] = {"metadata": {"name": "default"}}
        if "/pods/" in path:
            body["status"] = _running(f"10.244.{number // 250}.{number % 250 + 2}")
        if "/services/" in path:
            body["spec"].setdefault("clusterIP", f"10.96.0.{number % 250 + 2}")
        if "/ingresses/" in path and body["spec"].setdefault("ingressClassName", "kubelab") == "kubelab":
            body["status"] = {"loadBalancer": {"ingress": [{"ip": "172.18.255.1"}]}}
        if "/deployments/" in path:
            if before and before["spec"]["template"] != body["spec"]["template"]:
                for pod in [p for p, o in self.objects.items() if _owner(o) == metadata["name"]]:
                    del self.objects[pod]
            self._reconcile(path)
        return body

    def _reconcile(self, path: str) -> None:
        """As many pods as the Deployment wants, and a status that says so."""
        deployment = self.objects[path]
        name, wanted = deployment["metadata"]["name"], deployment["spec"].get("replicas", 1)
        pods = path.split("/deployments/")[0].replace("/apis/apps/v1", "/api/v1") + "/pods"
        mine = [p for p, o in self.objects.items() if _owner(o) == name]
        for surplus in mine[wanted:]:
            del self.objects[surplus]
        for _ in range(wanted - len(mine)):
            template = copy.deepcopy(deployment["spec"]["template"])
            metadata = {**template.get("metadata", {}), "name": f"{name}-abc-{next(self._numbers)}"}
            metadata["labels"] = {**metadata.get("labels", {}), "pod-template-hash": "abc"}
            metadata["ownerReferences"] = [{"kind": "ReplicaSet", "name": f"{name}-abc"}]
            self._store(f"{pods}/{metadata['name']}", {"metadata": metadata, "spec": template["spec"]})
        deployment["status"] = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), wanted)

    def _listed(self, collection: str) -> list[Object]:
        """The objects of one namespace, or of all."""
        kept = {path: path.rsplit("/", 1)[0] for path in self.objects}
        return [self.objects[p] for p, c in kept.items() if collection in (c, re.sub("/namespaces/[^/]+", "", c))]

    def _slices(self, namespace: str, service_name: str) -> list[Object]:
        service = self.objects.get(f"/api/v1/namespaces/{namespace}/services/{service_name}")
        if service is None:
            return []
        endpoints = [_endpoint(pod) for pod in self._selected(namespace, service)]
        ports = [
            {"name": port.get("name", ""), "port": port.get("targetPort", port["port"])}
            for port in service["spec"].get("ports") or ()
        ]
        labels = {"kubernetes.io/service-name": service_name}
        metadata = {"name": service_name, "namespace": namespace, "uid": f"uid-{service_name}", "labels": labels}
        return [{"metadata": metadata, "ports": ports, "endpoints": endpoints}]


def _list(items: list[Object]) -> Object:
    return {"metadata": {"resourceVersion": "1"}, "items": items}


class FakeLines:
    """A long answer whose lines are all there."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def close(self) -> None: ...


class FakeStream:
    """The client program, without the network: picks pods in turn, for each connection."""

    stderr = ""
    code = 0

    def __init__(self, api: FakeApi, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._job: dict[str, Any] = {}
        self._kept: dict[int, Object] = {}
        self._generation = 0
        self._stopped = threading.Event()

    def send(self, text: str) -> None:
        if text == "reconnect\n":
            self._kept, self._generation = {}, self._generation + 1
        elif self._job:
            self._stopped.set()
        else:
            self._job = json.loads(text)["job"]

    def lines(self, timeout_seconds: float) -> Iterator[str]:
        yield '{"began": true}'
        host = urlsplit(self._job["url"]).hostname or ""
        count = self._job["requests"]
        for number in itertools.count() if count is None else range(count):
            if count is None and self._stopped.wait(STREAM_SECONDS):
                return
            yield json.dumps(
                {"n": number, "at": number * STREAM_SECONDS, "seconds": 0.001, **self._result(number, host)}
            )

    def _result(self, number: int, host: str) -> dict[str, Any]:
        with self._api._lock:
            who = self._api.answering(self._namespace, host)
        if isinstance(who, str):
            return {"error": who}
        port = number % (self._job["connections"] or number + 1)
        kept = self._kept.get(port)
        pod = self._kept[port] = kept if kept in who else who[number % len(who)]
        about = {"pod": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
        return {"code": 200, **about, "host": host, "peer_port": 1 + port + 1000 * self._generation}

    def close(self) -> None:
        self._stopped.set()


def _endpoint(pod: Object) -> Object:
    target = {"kind": "Pod", "name": pod["metadata"]["name"]}
    return {"addresses": [pod["status"]["podIP"]], "conditions": {"ready": True}, "targetRef": target}


def _running(ip: str) -> Object:
    return {"phase": "Running", "podIP": ip, "conditions": [{"type": "Ready", "status": "True"}]}


def _owner(object_: Object) -> str:
    owners = object_["metadata"].get("ownerReferences") or [{"name": ""}]
    return str(owners[0]["name"]).removesuffix("-abc")


def _is_collection(path: str) -> bool:
    """After the group and version come pairs of a plural and a name; a plural alone at the end is a collection."""
    _, root, *rest = path.split("/")
    return (len(rest) - (1 if root == "api" else 2)) % 2 == 1


def _not_found(path: str) -> ApiError:
    return ApiError(404, "NotFound", f"{path} not found")
