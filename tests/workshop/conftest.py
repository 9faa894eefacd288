"""A cluster in memory that keeps objects, knows labels and gives tokens; and workshops on it."""

from __future__ import annotations

import base64
import copy
import itertools
import json
import re
import threading

import pytest

from kubelab.lab.errors import ApiError
from kubelab.workshop.access import Access, Address
from kubelab.workshop.facts import ask
from kubelab.workshop.making import make
from kubelab.workshop.plan import Plan
from kubelab.workshop.roster import Learner

SERVED = {
    "/apis/gateway.networking.k8s.io/v1": ["gateways"],
    "/apis/admissionregistration.k8s.io/v1": ["validatingadmissionpolicies", "validatingadmissionpolicybindings"],
}
TOKEN_SECONDS = 24 * 3600
"""The longest that this server gives a token, as some do."""


class Cluster:
    """The API: `objects` by path, `requests` as they came, `denied` resources."""

    def __init__(self) -> None:
        self.objects: dict[str, dict] = {}
        self.requests: list[tuple[str, str]] = []
        self.denied: set[str] = set()
        self.busy = 0
        self.now = 1_800_000_000
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self.put("/api/v1/namespaces/default/services/kubernetes", "Service",
                 spec={"clusterIP": "10.96.0.1", "ports": [{"port": 443}]})  # fmt: skip
        self.put("/api/v1/namespaces/kube-system/services/kube-dns", "Service", spec={"clusterIP": "10.96.0.10"})
        self.put("/api/v1/nodes/one", "Node", spec={"podCIDRs": ["10.244.1.0/24"]})
        self.put("/apis/networking.k8s.io/v1/ingressclasses/kubelab", "IngressClass")
        self.put("/api/v1/namespaces/edge/services/envoy", "Service", {"app.kubernetes.io/name": "contour"}, spec={})

    def put(self, path: str, kind: str, labels: dict | None = None, **fields):
        name = path.rpartition("/")[2]
        where = re.search(r"/namespaces/([^/]+)/", path)
        metadata = {"name": name, "labels": labels or {}, **({"namespace": where[1]} if where else {})}
        self.objects[path] = {"kind": kind, "metadata": self._stamped(metadata), **fields}
        return self.objects[path]

    def request(self, method, path, query=None, body=None):
        with self._lock:
            self.requests.append((method, path))
            if self.busy:
                self.busy -= 1
                raise ApiError(429, "TooManyRequests", "try again")
            return copy.deepcopy(getattr(self, f"_{method.lower()}")(path, dict(query or {}), body))

    def _get(self, path, query, body):
        if path == "/version":
            return {"gitVersion": "v1.36.2"}
        if path in SERVED:
            return {"resources": [{"name": name} for name in SERVED[path]]}
        if path in self.objects:
            return self.objects[path]
        if not re.search(r"/(v1|namespaces/[^/]+)/[a-z]+$", path):
            raise ApiError(404, "NotFound", f"{path} not found")
        parts = re.fullmatch(r"(.*/v1)(?:/namespaces/([^/]+))?/([a-z]+)", path)
        inside = re.escape(parts[2]) if parts[2] else "[^/]+"
        wanted = re.compile(rf"{re.escape(parts[1])}(/namespaces/{inside})?/{parts[3]}/[^/]+")
        found = [each for at, each in self.objects.items() if wanted.fullmatch(at)]
        return {"items": [_bare(each) for each in found if _has(each, query.get("labelSelector", ""))]}

    def _post(self, path, query, body):
        if path.endswith("selfsubjectaccessreviews"):
            asked = body["spec"]["resourceAttributes"]
            return {"status": {"allowed": asked["resource"] not in self.denied}}
        if path.endswith("/token"):
            return self._token(path, body["spec"]["expirationSeconds"])
        at = f"{path}/{body['metadata']['name']}"
        if at in self.objects:
            raise ApiError(409, "AlreadyExists", f"{at} already exists")
        self.objects[at] = {**body, "metadata": self._stamped(body["metadata"])}
        return self.objects[at]

    def _put(self, path, query, body):
        if self.objects[path]["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", "the object has been modified")
        body["metadata"]["resourceVersion"] = str(next(self._numbers))
        self.objects[path] = body
        return body

    def _delete(self, path, query, body):
        inside = path.replace("/api/v1", "") + "/"  # of a namespace, in every group
        for at in [each for each in self.objects if each == path or inside in each]:
            del self.objects[at]
        return {}

    def _token(self, path, seconds):
        where, account = re.search(r"/namespaces/([^/]+)/serviceaccounts/([^/]+)/token", path).groups()
        uid = self.objects[path.removesuffix("/token")]["metadata"]["uid"]
        ends = self.now + min(seconds, TOKEN_SECONDS)
        claims = {"sub": f"system:serviceaccount:{where}:{account}", "exp": ends, "jti": str(next(self._numbers)),
                  "kubernetes.io": {"serviceaccount": {"uid": uid}}}  # fmt: skip
        payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        return {"status": {"token": f"e30.{payload}.signed", "expirationTimestamp": rfc3339(ends)}}

    def _stamped(self, metadata):
        number = str(next(self._numbers))
        return {**metadata, "uid": f"uid-{number}", "resourceVersion": number}


def rfc3339(seconds):
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _bare(each):
    return {key: value for key, value in each.items() if key not in ("kind", "apiVersion")}


def _has(each, selector):
    labels = each["metadata"].get("labels") or {}
    if " in " in selector:
        key, values = re.fullmatch(r"(\S+) in \((.*)\)", selector).groups()
        return labels.get(key) in values.split(",")
    wanted = [part.partition("=") for part in selector.split(",") if part]
    return all(labels.get(key) == value if equals else key in labels for key, equals, value in wanted)


@pytest.fixture
def cluster():
    return Cluster()


@pytest.fixture
def access(cluster):
    return Access(cluster, Address("https://cluster.example.test:6443", "-----BEGIN CERTIFICATE-----\n"), 2)


ADA, GRACE = Learner("Ada Lovelace", "ada", "ada@example.test"), Learner("Grace Hopper", "grace")


@pytest.fixture
def everyone():
    return [ADA, GRACE]


@pytest.fixture
def made(access, everyone):
    """A workshop of two learners."""
    return make(access, Plan(), ask(access), everyone)
