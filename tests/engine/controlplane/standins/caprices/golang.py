"""JSON as Go writes it: every field without ``omitempty`` is there, ``null`` for a slice or map without anything, and
``{}`` or a null time for a struct even where it says so; other empty values are not there. Keys stand in any order.

The fields are those of k8s.io/api 1.36 that this cluster serves.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from caprices import versions
from kubelab.engine.client import ApiRequest

Filled = dict[str, Any]

_POD: Filled = {
    "containers": None,
    "containers.*.resources": {},
    "initContainers.*.resources": {},
}
_TEMPLATE: Filled = {
    "spec.template.metadata.creationTimestamp": None,
    **{f"spec.template.spec.{path}": value for path, value in _POD.items()},
    "spec": {},
    "status": {},
}
_CONTAINER_STATUS: Filled = {
    "state": {},
    "lastState": {},
    "ready": False,
    "restartCount": 0,
    "image": "",
    "imageID": "",
}
_OF_CONTAINERS = ("containerStatuses", "initContainerStatuses")
_BALANCER: Filled = {"spec": {}, "status": {}, "status.loadBalancer": {}}

FILLED: dict[str, Filled] = {
    "Pod": {
        "spec": {},
        "status": {},
        **{f"spec.{path}": value for path, value in _POD.items()},
        "status.conditions.*.lastProbeTime": None,
        "status.conditions.*.lastTransitionTime": None,
        **{f"status.{of}.*.{path}": value for of in _OF_CONTAINERS for path, value in _CONTAINER_STATUS.items()},
        **{f"status.{of}.*.{when}.running.startedAt": None for of in _OF_CONTAINERS for when in ("state", "lastState")},
        **{
            f"status.{of}.*.{when}.terminated.{each}": value
            for of in _OF_CONTAINERS
            for when in ("state", "lastState")
            for each, value in (("startedAt", None), ("finishedAt", None), ("exitCode", 0))
        },
    },
    "Deployment": {
        **_TEMPLATE,
        "spec.strategy": {},
        "status.conditions.*.lastUpdateTime": None,
        "status.conditions.*.lastTransitionTime": None,
    },
    "ReplicaSet": {**_TEMPLATE, "status.replicas": 0, "status.conditions.*.lastTransitionTime": None},
    "StatefulSet": {
        **_TEMPLATE,
        "spec.updateStrategy": {},
        "spec.serviceName": "",
        "status.replicas": 0,
        "status.availableReplicas": 0,
    },
    "DaemonSet": {
        **_TEMPLATE,
        "spec.updateStrategy": {},
        "status.currentNumberScheduled": 0,
        "status.numberMisscheduled": 0,
        "status.desiredNumberScheduled": 0,
        "status.numberReady": 0,
    },
    "Service": _BALANCER,
    "Ingress": _BALANCER,
    "EndpointSlice": {"endpoints": None, "ports": None, "endpoints.*.conditions": {}, "endpoints.*.addresses": None},
    "NetworkPolicy": {"spec": {}, "spec.podSelector": {}},
    "Namespace": {"spec": {}, "status": {}},
    "Node": {
        "spec": {},
        "status": {},
        "status.daemonEndpoints": {},
        "status.nodeInfo": {},
        "status.conditions.*.lastHeartbeatTime": None,
        "status.conditions.*.lastTransitionTime": None,
    },
    "Event": {
        "source": {},
        "firstTimestamp": None,
        "lastTimestamp": None,
        "eventTime": None,
        "reportingComponent": "",
        "reportingInstance": "",
    },
    "Lease": {"spec": {}},
    "Role": {"rules": None},
    "ClusterRole": {"rules": None},
    "LimitRange": {"spec": {}, "spec.limits": None},
    "ResourceQuota": {"spec": {}, "status": {}},
    "PodDisruptionBudget": {
        "spec": {},
        "status": {},
        "status.disruptionsAllowed": 0,
        "status.currentHealthy": 0,
        "status.desiredHealthy": 0,
        "status.expectedPods": 0,
    },
    "SelfSubjectAccessReview": {"status.allowed": False},
    "SelfSubjectRulesReview": {
        "spec": {},
        "status.resourceRules": None,
        "status.nonResourceRules": None,
        "status.incomplete": False,
    },
    "TokenRequest": {"spec.audiences": None},
    "CustomResourceDefinition": {"status": {}, "status.conditions": None, "status.storedVersions": None},
    "Status": {"metadata": {}},
    "ValidatingAdmissionPolicy": {"status": {}},
    "ServiceCIDR": {"spec": {}, "status": {}},
}
"""Of each kind, what is there when nobody has set it. ``*`` is every element; a parent that is not there stays so."""

_REPLICAS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas")
OMITTED: dict[str, list[str]] = {
    "": [
        *(f"metadata.{each}" for each in ("labels", "annotations", "ownerReferences", "finalizers", "managedFields")),
        "metadata.namespace",
        "metadata.generation",
    ],
    "Deployment": [f"status.{each}" for each in (*_REPLICAS, "observedGeneration", "conditions")],
    "ReplicaSet": [
        f"status.{each}" for each in (*_REPLICAS[2:4], "fullyLabeledReplicas", "observedGeneration", "conditions")
    ],
    "StatefulSet": [f"status.{each}" for each in ("currentReplicas", "updatedReplicas", "readyReplicas", "conditions")],
    "DaemonSet": [f"status.{each}" for each in ("updatedNumberScheduled", "numberAvailable", "numberUnavailable")],
    "ConfigMap": ["data", "binaryData"],
    "Secret": ["data"],
    "Service": ["spec.selector", "spec.ports", "spec.externalIPs", "status.loadBalancer.ingress", "status.conditions"],
    "Ingress": ["spec.rules", "spec.tls", "status.loadBalancer.ingress"],
    "Endpoints": ["subsets"],
    "Pod": [
        *(f"status.{each}" for each in ("message", "reason", "conditions", "podIPs", "podIP", *_OF_CONTAINERS)),
        *(f"status.conditions.*.{each}" for each in ("message", "reason")),
        *(f"spec.containers.*.{each}" for each in ("env", "args", "command", "ports", "volumeMounts")),
        *(f"spec.{each}" for each in ("volumes", "initContainers", "nodeSelector", "tolerations", "nodeName")),
    ],
}
"""Of every kind, and of some: what is not there when it is empty, nothing or zero."""


class Json:
    """Documents and lines of watches; the order of keys is drawn once."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._ranks: dict[str, bytes] = {}

    def document(self, text: bytes) -> bytes:
        if not text:
            return text
        document = json.loads(text)
        if isinstance(document, dict):
            _as_go(document)
        return self._dumped(document)

    def line(self, text: bytes) -> bytes:
        event = json.loads(text)
        _as_go(event["object"])
        return self._dumped(event)

    def _dumped(self, document: Any) -> bytes:
        return json.dumps(self._ordered(document), separators=(",", ":")).encode()

    def _ordered(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._ordered(each) for each in value]
        if not isinstance(value, dict):
            return value
        return {key: self._ordered(value[key]) for key in sorted(value, key=self._rank)}

    def _rank(self, key: str) -> bytes:
        if key not in self._ranks:
            self._ranks[key] = hashlib.md5(f"{self._seed}{key}".encode()).digest()
        return self._ranks[key]


def without_nulls(request: ApiRequest) -> ApiRequest:
    """What Go reads: a field that is null is one that is not there. In patches null is a wish."""
    if request.method not in ("PUT", "POST") or not request.body.startswith(b"{"):
        return request
    return replace(request, body=json.dumps(_stripped(json.loads(request.body))).encode())


def _stripped(value: Any) -> Any:
    if isinstance(value, list):
        return [_stripped(each) for each in value]
    if isinstance(value, dict):
        return {key: _stripped(each) for key, each in value.items() if each is not None}
    return value


def _as_go(document: dict[str, Any]) -> None:
    kind = document.get("kind", "")
    _number(document)
    if kind == "Table":
        for row in document.get("rows") or ():
            _as_go(row.get("object") or {})
        return
    if "items" not in document:
        _one(document, kind)
        return
    for item in document["items"] or ():
        _number(item)
        _one(item, item.get("kind") or kind.removesuffix("List"))
    document["items"] = document["items"] or None


def _number(obj: dict[str, Any]) -> None:
    meta = obj.get("metadata")
    if isinstance(meta, dict) and "resourceVersion" in meta:
        meta["resourceVersion"] = versions.encode(meta["resourceVersion"])


def _one(obj: dict[str, Any], kind: str) -> None:
    for path in (*OMITTED[""], *OMITTED.get(kind, ())):
        for parent, key in _places(obj, path.split(".")):
            if key in parent and parent[key] in (0, "", [], {}, None):
                del parent[key]
    for path, value in FILLED.get(kind, {}).items():
        for parent, key in _places(obj, path.split(".")):
            if key not in parent or (value is None and parent[key] == []):  # etcd's protobuf knows no empty slice
                parent[key] = value if value != {} else {}


def _places(value: Any, path: list[str]) -> Iterator[tuple[dict[str, Any], str]]:
    """The dictionaries that the path leads to, and its last key."""
    if path[0] == "*":
        for each in value if isinstance(value, list) else ():
            yield from _places(each, path[1:])
    elif isinstance(value, dict):
        if len(path) == 1:
            yield value, path[0]
        elif path[0] in value:
            yield from _places(value[path[0]], path[1:])
