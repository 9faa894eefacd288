"""Which kinds there are and where the API serves them."""

from __future__ import annotations

import difflib
from typing import NamedTuple

from kubelab.lab.api import Api
from kubelab.lab.errors import BadManifest, LabError, NotFound


class Kind(NamedTuple):
    """A kind of object, enough to build its URL."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True
    short: str = ""

    def path(self, namespace: str, name: str = "") -> str:
        """The URL path of the collection in a namespace, or of one object."""
        root = "/apis/" if "/" in self.api_version else "/api/"
        scope = f"/namespaces/{namespace}" if self.namespaced else ""
        return f"{root}{self.api_version}{scope}/{self.plural}" + (f"/{name}" if name else "")


POD = Kind("v1", "Pod", "pods", short="po")
SERVICE = Kind("v1", "Service", "services", short="svc")
CONFIGMAP = Kind("v1", "ConfigMap", "configmaps", short="cm")
SECRET = Kind("v1", "Secret", "secrets")
NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False, short="ns")
EVENT = Kind("v1", "Event", "events", short="ev")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments", short="deploy")
REPLICASET = Kind("apps/v1", "ReplicaSet", "replicasets", short="rs")
ENDPOINTSLICE = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")

KNOWN = (
    POD, SERVICE, CONFIGMAP, SECRET, NAMESPACE, EVENT, DEPLOYMENT, REPLICASET, ENDPOINTSLICE,
    Kind("v1", "Node", "nodes", namespaced=False, short="no"),
    Kind("v1", "Endpoints", "endpoints", short="ep"),
    Kind("v1", "ServiceAccount", "serviceaccounts", short="sa"),
    Kind("apps/v1", "StatefulSet", "statefulsets", short="sts"),
    Kind("apps/v1", "DaemonSet", "daemonsets", short="ds"),
    Kind("batch/v1", "Job", "jobs"),
    Kind("batch/v1", "CronJob", "cronjobs", short="cj"),
    Kind("networking.k8s.io/v1", "Ingress", "ingresses", short="ing"),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", short="netpol"),
)  # fmt: skip
"""Kinds that need no discovery."""


def named(word: str, api: Api | None = None) -> Kind:
    """The kind that kubectl takes a word for: ``deployment``, ``deployments``, ``deploy``.

    One that is not a common one is asked of the API, when there is one. Raises `LabError`.
    """
    wanted = word.lower()
    for kind in KNOWN:
        if wanted in (kind.kind.lower(), kind.plural, kind.short):
            return kind
    others: list[Kind] = []
    for version in _versions(api) if api else ():
        for kind, words in _served_by(api, version) if api else ():
            if wanted in words:
                return kind
            others.append(kind)
    names = [kind.kind.lower() for kind in (*KNOWN, *others)]
    raise LabError(
        f"{'This cluster' if api else 'kubelab'} does not know the kind {word!r}{_did_you_mean(wanted, names)}"
    )


def of_manifest(api: Api, api_version: str, kind: str) -> Kind:
    """The kind that a manifest names, asked of the API when it is not a common one. Raises `BadManifest`."""
    for known in KNOWN:
        if (known.api_version, known.kind) == (api_version, kind):
            return known
    for known in KNOWN:
        if known.kind == kind:
            raise BadManifest(f"A {kind} has apiVersion: {known.api_version}, not {api_version}.")
    served = _served(api, api_version)
    for candidate in served:
        if candidate.kind == kind:
            return candidate
    close = _did_you_mean(kind, [candidate.kind for candidate in served or KNOWN])
    raise BadManifest(f"This cluster has no kind {kind!r} in {api_version}{close}")


def _served(api: Api, api_version: str) -> list[Kind]:
    return [kind for kind, _ in _served_by(api, api_version)]


def _served_by(api: Api, api_version: str) -> list[tuple[Kind, set[str]]]:
    """Each kind of a group and version, and the words for it."""
    root = "/apis/" if "/" in api_version else "/api/"
    try:
        answer = api.request("GET", root + api_version)
    except NotFound:
        return []
    found = []
    for entry in answer.get("resources", []):
        if "/" not in entry["name"]:
            short = entry.get("shortNames") or []
            kind = Kind(api_version, entry["kind"], entry["name"], entry.get("namespaced", True), *short[:1])
            found.append((kind, {kind.kind.lower(), kind.plural, entry.get("singularName") or "", *short}))
    return found


def _versions(api: Api) -> list[str]:
    """The preferred version of every group."""
    try:
        answer = api.request("GET", "/apis")
    except NotFound:
        return []
    return [group["preferredVersion"]["groupVersion"] for group in answer.get("groups", [])]


def _did_you_mean(word: str, names: list[str]) -> str:
    close = difflib.get_close_matches(word, names, n=1)
    return f"; did you mean {close[0]!r}?" if close else "."
