"""Objects of one namespace: apply, get, delete, reset."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from kubelab.lab import kinds, waiting
from kubelab.lab.api import Api, Object
from kubelab.lab.complaints import explained
from kubelab.lab.errors import ApiError, BadManifest, LabError, NoAnswer, NotFound
from kubelab.lab.manifests import Manifest, Source, read
from kubelab.lab.merge import LAST_APPLIED, merge

MANAGED_BY = "app.kubernetes.io/managed-by"
"""Set to ``kubelab`` on everything that a lesson makes
(https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/)."""

_STRICT = {"fieldValidation": "Strict", "fieldManager": "kubelab"}
_ATTEMPTS, _PAUSE_SECONDS = 5, 0.5
_GATEWAY_API = [
    kinds.Kind("gateway.networking.k8s.io/v1", kind, f"{kind.lower()}s")
    for kind in ("ReferenceGrant", "Gateway", "HTTPRoute")
]
_RESET_KINDS = [
    *(kind for kind in kinds.KNOWN if kind.kind not in ("Namespace", "Node", "Event", "Endpoints")),
    *_GATEWAY_API,
]


@dataclass(frozen=True)
class Applied:
    """What `apply` did: ``(("deployment/web", "created"), …)``, in the order of the manifest."""

    changes: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        return "Applied(" + ", ".join(f"{name} {change}" for name, change in self.changes) + ")"


@dataclass(frozen=True)
class Deleted:
    """What `delete` removed; the names of pods are left out, they are random."""

    names: tuple[str, ...]

    def __repr__(self) -> str:
        if len(self.names) == 1 and not self.names[0].startswith("pod/"):
            return f"Deleted({self.names[0]})"
        kind = self.names[0].split("/")[0] if self.names else "object"
        plural = "" if len(self.names) == 1 else "s"
        return f"Deleted({len(self.names) or 'no'} {kind}{plural})"


class Objects:
    """The objects of one namespace."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self.namespace = namespace

    def ensure_namespace(self) -> None:
        """Make the namespace when it is not there; one that is on its way out is waited for."""
        body = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": self.namespace, "labels": {MANAGED_BY: "kubelab"}},
        }
        for left in reversed(range(_ATTEMPTS)):
            if self._namespace_phase() == "Active":
                return
            waiting.until(self._namespace_gone, f"The namespace {self.namespace} is still there", 60)
            try:
                self._api.request("POST", kinds.NAMESPACE.path(""), body=body)
                waiting.until(self._has_account, f"The namespace {self.namespace} has no ServiceAccount", 60)
                return
            except (ApiError, NoAnswer) as error:
                if not left or not (_is_taken(error) or _is_lost(error)):
                    raise
                time.sleep(_PAUSE_SECONDS)
        raise AssertionError("unreachable")

    def apply(self, source: Source) -> Applied:
        """Create or update every object of the source. Raises `BadManifest`, `ApiError`."""
        manifests = read(source)
        targets = [
            (manifest, kinds.of_manifest(self._api, manifest.api_version, manifest.kind)) for manifest in manifests
        ]
        for manifest, _ in targets:
            self._check_namespace(manifest)
        return Applied(tuple((str(m).lower(), self._apply_one(m, kind)) for m, kind in targets))

    def get(self, kind: kinds.Kind, name: str) -> Object:
        """One object. Raises `ApiError` (404)."""
        return self._api.request("GET", kind.path(self.namespace, name))

    def find(self, kind: kinds.Kind, selector: str = "") -> list[Object]:
        """The objects of a kind, sorted by name, narrowed by a label selector (``app=web``)."""
        query = {"labelSelector": selector} if selector else None
        items = self._api.request("GET", kind.path(self.namespace), query).get("items") or []
        return sorted(items, key=lambda item: item["metadata"]["name"])

    def delete(self, kind: kinds.Kind, name: str, grace_seconds: int | None = None) -> bool:
        """Delete one object and, in the background, what it owns. False when it was not there."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            self._api.request("DELETE", kind.path(self.namespace, name), body=options)
        except NotFound:
            return False
        return True

    def patch(self, kind: kinds.Kind, name: str, changes: Object) -> Object:
        """Change some fields of one object: read, merge, write; again when somebody else was faster."""
        for attempt in range(_ATTEMPTS):
            live = self.get(kind, name)
            try:
                return self._api.request("PUT", kind.path(self.namespace, name), _STRICT, merge({}, live, changes))
            except ApiError as error:
                if error.status != 409 or attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    def clear(self) -> str:
        """Delete what a learner made here: everything in a namespace of ours, only what is ours in another's.

        Returns the label selector of what was deleted, empty for everything.
        """
        namespace = self._api.request("GET", kinds.NAMESPACE.path("", self.namespace))
        ours = (namespace["metadata"].get("labels") or {}).get(MANAGED_BY) == "kubelab"
        selector = "" if ours else f"{MANAGED_BY}=kubelab"
        for kind in reversed(_RESET_KINDS):
            for found in self._list_if_served(kind, selector):
                if not _belongs_to_the_cluster(found, kind):
                    self.delete(kind, found["metadata"]["name"], grace_seconds=0 if kind is kinds.POD else None)
        return selector

    def _list_if_served(self, kind: kinds.Kind, selector: str) -> list[Object]:
        try:
            return self.find(kind, selector)
        except ApiError as error:
            if error.status not in (403, 404, 405):
                raise
            return []

    def _namespace_gone(self) -> waiting.Seen:
        phase = self._namespace_phase()
        return waiting.Seen(not phase, phase)

    def _has_account(self) -> waiting.Seen:
        """Whether pods can be made in it: their ServiceAccount is a controller's, which comes a moment later."""
        try:
            self._api.request("GET", f"{kinds.NAMESPACE.path('', self.namespace)}/serviceaccounts/default")
        except NotFound as error:
            return waiting.Seen(False, str(error))
        except ApiError as error:
            if error.status != 403:  # whoever may not look finds out
                raise
        return waiting.Seen(True, "it has one")

    def _namespace_phase(self) -> str:
        """``Active``, ``Terminating``, or nothing when there is no such namespace."""
        try:
            found = self._api.request("GET", kinds.NAMESPACE.path("", self.namespace))
        except NotFound:
            return ""
        return str((found.get("status") or {}).get("phase", "Active"))

    def _check_namespace(self, manifest: Manifest) -> None:
        asked = manifest.object["metadata"].get("namespace", self.namespace)
        if asked != self.namespace:
            raise BadManifest(
                f"{manifest} asks for the namespace {asked!r}{manifest.line('metadata.namespace')}, "
                f"but this lesson lives in {self.namespace!r}; leave metadata.namespace out."
            )

    def _apply_one(self, manifest: Manifest, kind: kinds.Kind) -> str:
        wanted = self._labelled(manifest.object, kind)
        wanted["metadata"].setdefault("annotations", {})[LAST_APPLIED] = _canonical(wanted)
        try:
            tried = lost = ""
            for attempt in range(_ATTEMPTS):
                change, write = self._change(kind, wanted)
                try:
                    write()
                    return lost or (tried if tried and change == "unchanged" else change)
                except (ApiError, NoAnswer) as error:
                    if attempt == _ATTEMPTS - 1 or not (_is_taken(error) or _is_lost(error)):
                        raise
                    tried = change  # it may have done its work, however it ended
                    if _is_lost(error):
                        lost = lost or change
                        time.sleep(_PAUSE_SECONDS)
        except ApiError as error:
            raise explained(error, manifest) from error
        raise AssertionError("unreachable")

    def _labelled(self, object_: Object, kind: kinds.Kind) -> Object:
        wanted = copy.deepcopy(object_)
        metadata = wanted["metadata"]
        if kind.namespaced:
            metadata["namespace"] = self.namespace
        metadata["labels"] = {**(metadata.get("labels") or {}), MANAGED_BY: "kubelab"}
        metadata["annotations"] = dict(metadata.get("annotations") or {})
        return wanted

    def _change(self, kind: kinds.Kind, wanted: Object) -> tuple[str, Callable[[], object]]:
        """What has to be done, as it will be told, and the doing."""
        path = kind.path(self.namespace, wanted["metadata"]["name"])
        try:
            live = self._api.request("GET", path)
        except NotFound:
            return "created", lambda: self._api.request("POST", kind.path(self.namespace), _STRICT, wanted)
        last = json.loads((live["metadata"].get("annotations") or {}).get(LAST_APPLIED, "{}"))
        merged = merge(last, live, wanted)
        if merged == live:
            return "unchanged", lambda: None
        return "configured", lambda: self._api.request("PUT", path, _STRICT, merged)


def _is_taken(error: LabError) -> bool:
    """Whether somebody else was faster."""
    return isinstance(error, ApiError) and error.status == 409


def _is_lost(error: LabError) -> bool:
    """Whether nobody knows if the request did its work: whoever looks will see."""
    return isinstance(error, NoAnswer) or (isinstance(error, ApiError) and error.passes)


def _canonical(object_: Object) -> str:
    """The object as kubectl keeps it in its annotation: without that annotation, compact, keys sorted, a newline."""
    kept = copy.deepcopy(object_)
    kept["metadata"].get("annotations", {}).pop(LAST_APPLIED, None)
    return json.dumps(kept, separators=(",", ":"), sort_keys=True) + "\n"


def _belongs_to_the_cluster(object_: Object, kind: kinds.Kind) -> bool:
    """What Kubernetes itself keeps in every namespace, and what its owner will take along."""
    name = object_["metadata"]["name"]
    if kind.kind == "ServiceAccount":
        return name == "default"
    if kind is kinds.CONFIGMAP:
        return name == "kube-root-ca.crt"
    if kind is kinds.SERVICE:
        return name == "kubernetes"
    return kind in (kinds.REPLICASET, kinds.ENDPOINTSLICE) and bool(object_["metadata"].get("ownerReferences"))
