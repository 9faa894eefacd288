"""Requests to the API that nobody would write by hand; the same seed and number make the same request everywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.schema import OPEN, Shape
from tests.engine.apiserver.fuzz.skeletons import GROUP, LABELS, Object, skeleton
from tests.engine.apiserver.fuzz.values import STRINGS, mutated, nonsense, valid

NAMES = ("a", "b", "c", "d")
NAMESPACES = ("fuzz-1", "fuzz-2")
PLURALS = ("gadgets", "widgets")
"""Of the custom kinds."""
USERS = ("kubernetes-admin", "a", "system:serviceaccount:fuzz-1:default", "system:node:a", "system:anonymous", "ä")
MEDIA = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "text/plain", "",
    "application/cbor",
         "application/json; charset=utf-16")  # fmt: skip
PATCHES = ("application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json",
           "application/apply-patch+yaml")  # fmt: skip
ACCEPTS = ("*/*", "application/json", "application/yaml", "application/vnd.kubernetes.protobuf, application/json",
    "text/html",
           "application/json;as=Table;g=meta.k8s.io;v=v1",
           "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
           "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", "application/json;as=Table",
           ";;,")  # fmt: skip
SELECTORS = ("app=web", "app in (web,a)", "app notin ()", "!app", "app", "a>1", "a<b", "in in (in)", ",", "=", "((",
    "a=b=c",
             "x in (a", "ä=b", "a" * 400, "app=web," * 50)  # fmt: skip
FIELDS = ("metadata.name=a", "metadata.namespace!=fuzz-1", "status.phase=Running", "spec.nodeName=", "spec.unknown=a",
    "=", "a",
          "type==Opaque", "spec.clusterIP=None", "metadata.name=a\\,b", "metadata.name==", "!")  # fmt: skip
VERSIONS = ("", "0", "1", "5", "-1", "abc", "1.5", "18446744073709551616", " 1", "٣")
QUERIES: dict[str, tuple[str, ...]] = {
    "labelSelector": SELECTORS, "fieldSelector": FIELDS, "resourceVersion": VERSIONS, "limit": ("1", "3", *VERSIONS),
    "continue": ("", "a", "e30", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTEsInN0YXJ0IjoiIn0", "!!!", "eyJydiI6ICJhIn0=",
        "W10", "bnVsbA"),
    "resourceVersionMatch": ("Exact", "NotOlderThan", "a"), "dryRun": ("All", "", "None"), "force": ("true", "a"),
    "fieldManager": ("fuzz", "fuzz-2", "", "a" * 200, "ä"), "fieldValidation": ("Strict", "Warn", "Ignore", "a"),
    "propagationPolicy": ("Foreground", "Background", "Orphan", "a"), "gracePeriodSeconds": ("0", "1", "-1", "a"),
    "orphanDependents": ("true", "a"), "pretty": ("true",), "includeObject": ("Object", "None", "a"),
    "timeoutSeconds": ("1", "-1", "a", "1e3"), "container": ("main", "a", ""), "tailLines": ("1", "-1", "a"),
    "sinceSeconds": ("1", "-1", "0", "a"), "limitBytes": ("1", "-1", "0"), "previous": ("true", "a"),
        "command": ("true", ""),
    "sinceTime": ("2026-01-01T00:00:00Z", "a"),
}  # fmt: skip
OTHER_PATHS = ("/", "/api", "/apis", "/api/v1", "/apis/apps", "/apis/apps/v1", "/apis/none/v1/a", "/version",
    "/healthz", "/readyz",
               "/livez/ping", "/metrics", "/openapi/v2", "/openapi/v3", "/openapi/v3/apis/apps/v1",
               "/api/v1/namespaces//pods",
               "/api/v1/pods/a/b/c/d/e", "/apis/apps/v1/namespaces/fuzz-1", "//", "/api/v1/%00", "/api/v1/..%2f..",
               "/logs",
               "/api/v1/nodes/a/proxy/", "/api/v1/watch/pods", "/.well-known/openid-configuration",
               "/openid/v1/jwks")  # fmt: skip
RARELY_DELETED = ("namespaces", "nodes", "customresourcedefinitions")
SHAKEN = tuple(each for each in r.ALL if each.plural not in ("tokenreviews",))


class FuzzRequest(NamedTuple):
    """One request, ready to be sent."""

    number: int
    method: str
    path: str
    """As on the request's line: escaped, without the query."""
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    body: bytes

    @property
    def line(self) -> str:
        """Path and query."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path


def preparation() -> Iterator[FuzzRequest]:
    """What has to be there for most requests to mean something."""
    for name in NAMESPACES:
        yield _post("/api/v1/namespaces", skeleton("namespaces", name, ""))
        yield _post(f"/api/v1/namespaces/{name}/serviceaccounts", skeleton("serviceaccounts", "default", name))
    for plural in PLURALS:
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        yield _post(path, skeleton("customresourcedefinitions", f"{plural}.{GROUP}", ""))


def _post(path: str, body: Object) -> FuzzRequest:
    return FuzzRequest(-1, "POST", path, (), {"content-type": "application/json"}, json.dumps(body).encode())


def request(seed: int, number: int) -> FuzzRequest:
    """The request of that number."""
    return _Maker(Random(f"{seed}/{number}"), number).make()


class _Maker:
    def __init__(self, random: Random, number: int) -> None:
        self.random = random
        self.number = number
        self.headers: dict[str, str] = {}
        self._choose_resource()

    def _choose_resource(self) -> None:
        random = self.random
        self.name = random.choice(STRINGS) if random.random() < 0.03 else random.choice(NAMES)
        self.namespace = random.choice(NAMESPACES)
        if random.random() < 0.1:
            self.plural, self.shape, self.rtype = random.choice(PLURALS), OPEN, None
            self.root = f"/apis/{GROUP}/v1"
            return
        rtype = random.choice(SHAKEN)
        self.plural, self.shape, self.rtype = rtype.plural, rtype.shape, rtype
        self.root = f"/apis/{rtype.api_version}" if rtype.group else f"/api/{rtype.version}"
        if not rtype.namespaced:
            self.namespace = ""
        if rtype.plural == "namespaces":
            self.name = random.choice(("fuzz-3", "fuzz-4"))
        if rtype.plural == "customresourcedefinitions":
            self.name = f"{random.choice(('sprockets', 'cogs'))}.{GROUP}"

    def make(self) -> FuzzRequest:
        random = self.random
        chance = random.random()
        self.headers = {"accept": random.choice(ACCEPTS)} if random.random() < 0.3 else {}
        if random.random() < 0.04:
            self._impersonate()
        if chance < 0.03:
            return self._done("GET" if random.random() < 0.7 else random.choice(("POST", "PUT", "TRACE", "OPTIONS",
                "HEAD")),
                              random.choice(OTHER_PATHS), b"")  # fmt: skip
        for most, make in ((0.40, self._create), (0.50, self._replace), (0.70, self._patch), (0.80, self._read),
                           (0.88, self._below), (0.95, self._delete), (1.0, self._garbage)):  # fmt: skip
            if chance < most:
                return make()
        raise AssertionError

    def _create(self) -> FuzzRequest:
        return self._done("POST", self._collection(), self._encoded(self._object()))

    def _replace(self) -> FuzzRequest:
        obj = self._object()
        if self.random.random() < 0.3 and isinstance(obj, dict):
            obj.setdefault("metadata", {})
            if isinstance(obj["metadata"], dict):
                obj["metadata"]["resourceVersion"] = self.random.choice(VERSIONS)
        return self._done("PUT", self._named(self.random.choice(("", "", "/status"))), self._encoded(obj))

    def _patch(self) -> FuzzRequest:
        media = self.random.choice(PATCHES)
        self.headers["content-type"] = media
        body: Any
        if media == PATCHES[0]:
            body = [self._operation() for _ in range(self.random.choice((1, 1, 2, 5)))]
        elif media == PATCHES[3]:
            body = self._object(typed=True)
            self._odd_managers(body)
        else:
            body = mutated(self.random, {}, self.shape) if self.random.random() < 0.6 else self._object()
            self._directives(body)
        if self.random.random() < 0.03:
            body = nonsense(self.random)
        below = self.random.choice(("", "", "", "/status", "/scale"))
        return self._done("PATCH", self._named(below), json.dumps(body).encode(), sure={"fieldManager": "fuzz"})

    def _operation(self) -> Any:
        parts = (
            "metadata",
            "spec",
            "status",
            "labels",
            "app",
            "0",
            "-",
            "1",
            "containers",
            "ports",
            "data",
            "a~1b",
            "~2",
            "",
        )
        where = [
            "".join(f"/{self.random.choice(parts)}" for _ in range(self.random.choice((1, 2, 3, 4)))) for _ in "12"
        ]
        kind = self.random.choice(("add", "remove", "replace", "move", "copy", "test", "none"))
        made: Object = {"op": kind, "path": where[0], "from": where[1], "value": valid(self.random, self.shape)}
        if self.random.random() < 0.1:
            made.pop(self.random.choice(sorted(made)))
        return made if self.random.random() < 0.97 else nonsense(self.random)

    def _directives(self, body: Any) -> None:
        if isinstance(body, dict) and self.random.random() < 0.2:
            word = self.random.choice(
                ("$patch", "$retainKeys", "$setElementOrder/containers", "$deleteFromPrimitiveList/finalizers")
            )
            value = self.random.choice(("delete", "replace", "merge", "a", ["a"], [{"name": "main"}], None, 1))
            inner = body.get("spec")
            (inner if isinstance(inner, dict) else body)[word] = value

    def _odd_managers(self, body: Any) -> None:
        if isinstance(body, dict) and isinstance(body.get("metadata"), dict) and self.random.random() < 0.2:
            fields = self.random.choice(
                ({}, None, {"f:a": 1}, {"k:{": {}}, {"f:spec": {"v:": {}}}, {"k:[]": {".": {}}}, [])
            )
            body["metadata"]["managedFields"] = [
                {"manager": "a", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": fields}
            ]

    def _read(self) -> FuzzRequest:
        place = self.random.choice((self._collection(), self._named(""), f"{self.root}/{self.plural}"))
        return self._done("GET", place, b"", more=3)

    def _below(self) -> FuzzRequest:
        """Subresources, with bodies of their own."""
        choice = self.random.choice(
            ("scale", "token", "eviction", "binding", "log", "exec", "status", "ephemeralcontainers", "none")
        )
        bodies: dict[str, Any] = {
            "scale": {"spec": {"replicas": self.random.choice((0, 1, 2, -1, "1", None, 2**31))}},
            "token": {"spec": {"audiences": self.random.choice((None, [], ["a"], [""], "a")), "expirationSeconds":
                               self.random.choice((600, 1, -1, 2**40, None)), "boundObjectRef":
                               self.random.choice((None, {"kind": "Pod", "name": "a"}, {"kind": "Secret"}, {}))}},
            "eviction": {"metadata": {"name": self.name}, "deleteOptions": self._delete_options()},
            "binding": {"target": {"kind": "Node", "name": self.random.choice(NAMES)}},
        }  # fmt: skip
        owner = {"token": "serviceaccounts", "eviction": "pods", "binding": "pods", "log": "pods", "exec": "pods",
                 "scale": self.random.choice(("deployments", "statefulsets", "replicasets"))}.get(choice)  # fmt: skip
        root = "/apis/apps/v1" if choice == "scale" else "/api/v1"
        name = "default" if choice == "token" else self.name
        escaped = quote(name, safe="", errors="replace")
        place = f"{root}/namespaces/{self.random.choice(NAMESPACES)}/{owner}/{escaped}/{choice}"
        where = place if owner else self._named(f"/{choice}")
        body = bodies.get(choice, self._object())
        if choice in bodies and self.random.random() < 0.2:
            body = mutated(self.random, body, OPEN)
        method = "GET" if choice in ("log", "none") else self.random.choice(("POST", "PUT", "GET"))
        return self._done(method, where, b"" if method == "GET" else self._encoded(body))

    def _delete(self) -> FuzzRequest:
        all_of_them = self.random.random() < 0.15 and self.plural not in RARELY_DELETED and self.namespace
        body = self._encoded(self._delete_options()) if self.random.random() < 0.5 else b""
        sure = {"labelSelector": self.random.choice(("fuzz=yes", "fuzz=yes,app"))} if all_of_them else {}
        return self._done("DELETE", self._collection() if all_of_them else self._named(""), body, sure=sure)

    def _delete_options(self) -> Any:
        options = {
            "gracePeriodSeconds": self.random.choice((0, 1, -1, None, "a")),
            "propagationPolicy": self.random.choice(("Foreground", "Background", "Orphan", None, "a")),
            "preconditions": self.random.choice((None, {}, {"uid": "a"}, {"resourceVersion": "1"}, {"uid": 1}, [])),
            "dryRun": self.random.choice((None, [], ["All"], ["a"], "All")),
            "orphanDependents": self.random.choice((None, True, "a")),
        }
        return {name: options[name] for name in self.random.sample(sorted(options), 2)}

    def _garbage(self) -> FuzzRequest:
        """Bodies that are none."""
        body = self.random.choice((
            b"", b"{", b"[" * 5000, b'{"a":' * 200, b"\xff\xfe", b"k8s\x00", b"k8s\x00" + self.random.randbytes(200),
            b"null", b"1", b'"a"',
            b"a: &x [*x]", b"- " * 3000, b"!!python/object:os.system a", b"{}\n---\n{}", b"\x00" * 100,
            self.random.randbytes(300),
            b'{"metadata": {"name": "a", "name": "b"}}', b'{"metadata":{"name":"\\ud800"}}', b"1" * 5000,
            b'{"spec": NaN}',
            b'{"metadata":{"labels":{' + b",".join(b'"k%d":"v"' % each for each in range(3000)) + b"}}}",
            b'{"metadata":{"annotations":{"a":"' + b"x" * 300_000 + b'"}}}',
        ))  # fmt: skip
        self.headers["content-type"] = self.random.choice((*MEDIA, *PATCHES))
        method, place = self.random.choice((("POST", self._collection()), ("PUT", self._named("")), ("PATCH",
            self._named("")),
                                            ("DELETE", self._named("")), ("PUT", self._named("/status"))))  # fmt: skip
        return self._done(method, place, body)

    # -- parts -----------------------------------------------------------------------------------

    def _object(self, *, typed: bool = False) -> Any:
        random = self.random
        obj = skeleton(self.plural, self.name, self.namespace)
        changes = random.choice((0, 1, 1, 2, 4))
        if random.random() < 0.1:
            obj = {**valid(random, self.shape), "metadata": obj["metadata"]} if self.rtype else obj
        for _ in range(changes):
            obj = mutated(random, obj, self.shape if self.rtype else _like(obj))
        if (typed or random.random() < 0.5) and isinstance(obj, dict):
            kind = self.rtype.kind if self.rtype else self.plural.title()
            version = self.rtype.api_version if self.rtype else f"{GROUP}/v1"
            obj.update(apiVersion=version, kind=kind)
        return obj

    def _encoded(self, body: Any) -> bytes:
        self.headers.setdefault(
            "content-type", "application/json" if self.random.random() < 0.97 else self.random.choice(MEDIA)
        )
        return json.dumps(body).encode()

    def _impersonate(self) -> None:
        self.headers["impersonate-user"] = self.random.choice(USERS).encode("ascii", "replace").decode()
        if self.random.random() < 0.3:
            self.headers["impersonate-group"] = self.random.choice(("system:masters", "a", ""))
        if self.random.random() < 0.2:
            self.headers["impersonate-extra-%41"] = "a"

    def _collection(self) -> str:
        return (
            f"{self.root}/namespaces/{self.namespace}/{self.plural}" if self.namespace else f"{self.root}/{self.plural}"
        )

    def _named(self, below: str) -> str:
        return f"{self._collection()}/{quote(self.name, safe='', errors='replace')}{below}"

    def _done(
        self, method: str, path: str, body: bytes, more: int = 1, sure: dict[str, str] | None = None
    ) -> FuzzRequest:
        chosen = dict(sure or {})
        if self.random.random() < 0.4 or more > 1:
            for name in self.random.sample(sorted(QUERIES), more):
                chosen.setdefault(name, self.random.choice(QUERIES[name]))
        return FuzzRequest(self.number, method, path, tuple(chosen.items()), self.headers, body)


def _like(value: Any) -> Shape:
    """A shape for what has no published schema: any member may be touched."""
    return Shape("map", item=OPEN) if isinstance(value, dict) else OPEN


__all__ = ["LABELS", "FuzzRequest", "preparation", "request"]
