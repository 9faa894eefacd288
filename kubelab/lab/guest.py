"""A lab as a guest: one namespace of a cluster that is others' too, whatever the lesson calls its own.

Every request of the lab passes here, so two promises hold whatever a lesson does. *Names*: what the lesson calls
``lesson-6`` is the guest's namespace in requests, commands and programs' input, and is ``lesson-6`` again in what comes
back: DNS names, messages, logs. The lessons' image, IngressClass and hosts may stand for others in the same way: an
ingress controller that others use too has one ``shop.example.test`` only. *Manners*: what is made gets
kubelab's label, pods by their templates too; what does not have it is neither changed nor deleted, and no command runs
in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kubelab.lab import guest_ingress
from kubelab.lab.errors import ApiError, LabError, Lacking, NotFound
from kubelab.lab.hosts import Hosts
from kubelab.lab.objects import MANAGED_BY

if TYPE_CHECKING:
    from kubelab.lab.api import Api, Lines, Object, Stream

IMAGE = "python:3.12"
"""What the lessons' pods run, as they are written."""

INGRESS_CLASS = "kubelab"
"""What the lessons' Ingresses name."""

WORKSHOP = "kubelab-workshop"
"""On what a workshop laid out for its learners; they write into it, and do not delete it."""

_NAME_LABEL = "kubernetes.io/metadata.name"
_OBJECT = re.compile(r"(?P<object>/apis?/.*?/namespaces/[^/]+/[^/]+/[^/]+)(/[^/]+)?")
_COLLECTION = re.compile(r"/apis?/.*?/namespaces/[^/]+/[^/]+")
_NAMESPACE = re.compile(r"/api/v1/namespaces(/[^/]+)?")
_NOT_FOR_ALL = {
    "/apis/networking.k8s.io/v1/ingressclasses": "IngressClasses",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions": "CustomResourceDefinitions",
}
"""What lessons show of a cluster's own."""
_REVIEW = re.compile(r"/apis/auth(entication|orization)\.k8s\.io/")


class GuestApi:
    """An `Api` in which one namespace has the lesson's name."""

    def __init__(
        self, api: Api, lesson: str, own: str, stand_in: str = "", host: str = "", ingress_class: str = ""
    ) -> None:
        """``lesson``: what the lesson calls its namespace; ``own``: what it is. ``stand_in``: for `IMAGE`.

        ``host``: below which the lesson's hosts are. ``ingress_class``: for `INGRESS_CLASS`.
        """
        self._api = api
        self._lesson = lesson
        self._own = own
        there, back = {lesson: own}, {own: lesson}
        images = {IMAGE: stand_in} if stand_in else {}
        # An exchange: where Ingresses of the class nginx are served, the lesson's class "nginx" is nobody's.
        classes = {INGRESS_CLASS: ingress_class, ingress_class: INGRESS_CLASS} if ingress_class else {}
        self._hosts = Hosts(host)
        self._there = Renaming(there, images, classes)
        self._back = Renaming(back, {new: old for old, new in images.items()}, classes, self._hosts)

    def request(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Object | None = None
    ) -> Object:
        if _NAMESPACE.fullmatch(path) and (method, path) != ("GET", "/api/v1/namespaces"):
            return self._namespace(method, path)
        path = self._path(path)
        making = method == "POST" and bool(_COLLECTION.fullmatch(path))
        if method != "GET" and not _REVIEW.match(path):
            self._refuse_elsewhere(path)
            if not making:
                self._refuse_strangers(method, path, query)
        if body is not None and making:
            body = _with_label(body)
        if body is not None and (making or method == "PUT"):
            body = _with_templates(body, _with_label)
            if guest_ingress.concerns(path):
                body = guest_ingress.there(body, self._hosts)
        try:
            found = self._api.request(method, path, self._query(query), self._there.value(body) if body else body)
        except ApiError as error:
            if error.status == 403 and method == "GET" and path in _NOT_FOR_ALL:
                raise Lacking(f"you may not see the {_NOT_FOR_ALL[path]} of this cluster.") from error
            if error.status == 403 and path.partition("/namespaces/")[2].startswith(f"{self._lesson}-"):
                raise self._one_namespace() from error
            details = self._back.value(error.details)
            raise ApiError(error.status, error.reason, self._back.text(str(error)), details) from error
        return guest_ingress.as_written(self._back.value(_as_written(found)))

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        return self._back.text(self._api.text(self._path(path), self._query(query)))

    def lines(self, path: str, query: Mapping[str, str] | None = None) -> Lines:
        back = self._back.text if path.endswith("/log") else self._back.event
        return GuestLines(self._api.lines(self._path(path), self._query(query)), back)

    def run(self, namespace: str, pod: str, argv: Sequence[str], container: str | None = None) -> Stream:
        own = self._own if namespace == self._lesson else namespace
        if own != self._own:
            raise self._one_namespace()
        self._refuse_strangers_pods(pod)
        words = [self._there.text(word) for word in argv]
        return GuestStream(self._api.run(own, pod, words, container), self._there.text, self._back.text)

    def _namespace(self, method: str, path: str) -> Object:
        """The guest's own stands, `kubelab up` has looked; others are not to be had."""
        name = path.removeprefix("/api/v1/namespaces").strip("/")
        if method == "GET" and name == self._lesson:
            return {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": self._lesson, "labels": {_NAME_LABEL: self._lesson}},
                "status": {"phase": "Active"},
            }
        if method == "GET":
            try:
                return self._api.request(method, path)
            except ApiError as error:
                if error.status != 403:
                    raise
        raise self._one_namespace()

    def _one_namespace(self) -> Lacking:
        return Lacking(f"this needs a namespace beside the one that you have on this cluster ({self._own}).")

    def _path(self, path: str) -> str:
        return re.sub(rf"/namespaces/{re.escape(self._lesson)}(?=/|$)", f"/namespaces/{self._own}", path)

    def _query(self, query: Mapping[str, str] | None) -> Mapping[str, str] | None:
        return {key: self._there.text(value) for key, value in query.items()} if query else query

    def _refuse_elsewhere(self, path: str) -> None:
        """Raises `Lacking` for what is not in the guest's namespace."""
        if f"/namespaces/{self._own}/" not in path:
            raise Lacking(f"outside your namespace ({self._own}) nothing is made or changed on this cluster.")

    def _refuse_strangers(self, method: str, path: str, query: Mapping[str, str] | None) -> None:
        """Raises `LabError` for what kubelab did not make, `ApiError` (404) for what is not there."""
        doing = "deleted" if method == "DELETE" else "changed"
        if _COLLECTION.fullmatch(path):
            if f"{MANAGED_BY}=kubelab" not in (query or {}).get("labelSelector", "").split(","):
                raise LabError(f"A whole collection of objects is not {doing} where others' may be too.")
            return
        match = _OBJECT.fullmatch(path)
        assert match is not None, path
        live = self._api.request("GET", match["object"])
        owner = (live["metadata"].get("labels") or {}).get(MANAGED_BY)
        if owner != "kubelab" and not (owner == WORKSHOP and method == "PUT"):
            raise LabError(
                f"There is a {live.get('kind') or 'object'} {live['metadata']['name']!r} that kubelab did not make, "
                f"and it is not {doing}; take another name, or another namespace."
            )

    def _refuse_strangers_pods(self, pod: str) -> None:
        """Raises `LabError` for a pod that kubelab did not make: a command may change what is in it."""
        try:
            live = self._api.request("GET", f"/api/v1/namespaces/{self._own}/pods/{pod}")
        except NotFound:
            return  # who runs the command says so
        if (live["metadata"].get("labels") or {}).get(MANAGED_BY) != "kubelab":
            raise LabError(
                f"There is a pod {pod!r} that kubelab did not make, and no command is run in it; `kubectl exec` does "
                "it, if it is meant."
            )


class GuestLines:
    """An answer that is still coming, in the lesson's names."""

    def __init__(self, lines: Lines, back: Callable[[str], str]) -> None:
        self._lines = lines
        self._back = back

    def __iter__(self) -> Iterator[str]:
        return map(self._back, self._lines)

    def close(self) -> None:
        self._lines.close()


class GuestStream:
    """A command in a container, in the lesson's names."""

    def __init__(self, stream: Stream, there: Callable[[str], str], back: Callable[[str], str]) -> None:
        self._stream = stream
        self._there = there
        self._back = back

    def send(self, text: str) -> None:
        self._stream.send(self._there(text))

    def lines(self, timeout_seconds: float) -> Iterator[str]:
        for line in self._stream.lines(timeout_seconds):
            yield self._back(line)

    @property
    def stderr(self) -> str:
        return self._back(self._stream.stderr)

    @property
    def code(self) -> int:
        return self._stream.code

    def close(self) -> None:
        self._stream.close()


class Renaming:
    """Namespaces, images, IngressClasses and hosts by other names, in text only where they stand as names.

    A namespace is known in ``web.NAME``, ``NAME.svc``, ``NAME/web``, ``namespaces/NAME`` and ``namespace NAME``;
    elsewhere the same letters are a word of somebody's.
    """

    def __init__(
        self,
        namespaces: Mapping[str, str],
        images: Mapping[str, str],
        classes: Mapping[str, str] = MappingProxyType({}),
        hosts: Hosts | None = None,
    ) -> None:
        """``hosts``: whose names are to be the lesson's."""
        self._hosts = hosts or Hosts()
        self._classes = dict(classes)
        self._namespaces = dict(namespaces)
        self._images = dict(images)
        self._patterns = [(old, _pattern(old), new) for old, new in self._namespaces.items()]

    def text(self, text: str) -> str:
        """A line, a message, a program's input."""
        text = self._hosts.back(text)
        for old, pattern, new in self._patterns:
            if old in text:
                text = pattern.sub(new, text)
        return text

    def event(self, line: str) -> str:
        """An event of a watch."""
        said = json.loads(line)
        if isinstance(said.get("object"), dict):
            said["object"] = guest_ingress.as_written(self.value(said["object"]))
        return json.dumps(said)

    def value(self, value: Any, key: str = "") -> Any:
        """An object as JSON has it, or a part of it that stands under ``key``."""
        if isinstance(value, str):
            if key in ("namespace", _NAME_LABEL):
                return self._namespaces.get(value, value)
            if key == "ingressClassName":
                return self._classes.get(value, value)
            return self._images.get(value, value) if key == "image" else self.text(value)
        if isinstance(value, list):
            return [self.value(each, key) for each in value]
        if isinstance(value, dict):
            return {name: self.value(each, name) for name, each in value.items()}
        return value


def _pattern(name: str) -> re.Pattern[str]:
    word, end = re.escape(name), r"(?![-a-z0-9])"
    return re.compile(
        rf"(?<=[a-z0-9]\.){word}{end}"
        rf"|(?<![-.a-z0-9]){word}(?=\.svc\b|/[a-z0-9])"
        rf"|(?<=namespaces/){word}{end}|(?<=namespace ){word}{end}|(?<=namespace \"){word}{end}"
        rf"|(?<=namespace '){word}{end}"
    )


def _as_written(answer: Object) -> Object:
    """With templates as the lesson wrote them: lessons compare these."""
    if isinstance(answer.get("items"), list):
        return {**answer, "items": [_with_templates(each, _without_label) for each in answer["items"]]}
    return _with_templates(answer, _without_label)


def _with_templates(body: Object, change: Callable[[Object], Object]) -> Object:
    """The object with the templates of what it makes changed: of pods, of Jobs and their pods."""
    spec = body.get("spec")
    if not isinstance(spec, dict):
        return body
    changed = {
        name: _with_templates(change(spec[name]), change)
        for name in ("template", "jobTemplate")
        if isinstance(spec.get(name), dict)
    }
    return {**body, "spec": {**spec, **changed}} if changed else body


def _without_label(body: Object) -> Object:
    metadata = body.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != MANAGED_BY}
    return {**body, "metadata": {**metadata, "labels": labels}}


def _with_label(body: Object) -> Object:
    metadata = body.get("metadata") or {}
    return {**body, "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), MANAGED_BY: "kubelab"}}}
