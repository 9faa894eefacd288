"""Pods."""

from __future__ import annotations

import re
from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.kinds.base import Kind
from kubelab.engine.apiserver.kinds.pod_defaults import containers, default_pod_spec, default_requests
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.apiserver.validation.ephemeral import ephemeral_kept
from kubelab.engine.apiserver.validation.fields import FieldError, forbidden, invalid
from kubelab.engine.apiserver.validation.pod import pod_spec
from kubelab.engine.apiserver.validation.pod_warnings import pod_warnings
from kubelab.engine.quantity import value as quantity_value

_ONLY = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)

_COST = "controller.kubernetes.io/pod-deletion-cost"
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,9}")
_GATED = {"reason": "SchedulingGated", "message": "Scheduling is blocked due to non-empty scheduling gates"}


class PodKind(Kind):
    """The life of a pod: born Pending, its spec all but frozen."""

    def __init__(self, rtype: ResourceType) -> None:
        super().__init__(rtype)
        self.prepares["ephemeralcontainers"] = self.prepare_ephemeral

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        default_pod_spec(spec)
        default_requests(spec)
        spec.setdefault("enableServiceLinks", True)

    def prepare_create(self, obj: Object) -> None:
        obj["status"] = {"phase": "Pending", "qosClass": qos_class(obj["spec"])}
        if obj["spec"].get("schedulingGates"):
            since = {"lastTransitionTime": obj["metadata"]["creationTimestamp"]}
            obj["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", **since, **_GATED}]
        obj["metadata"]["generation"] = 1

    def prepare_update(self, new: Object, old: Object) -> None:
        super().prepare_update(new, old)
        spec, was = new["spec"], old["spec"]
        for member in ("nodeName", "serviceAccount", "serviceAccountName", "priority", "preemptionPolicy"):
            if member in was:
                spec.setdefault(member, was[member])

    def prepare_status(self, new: Object, old: Object) -> None:
        super().prepare_status(new, old)
        qos = (old.get("status") or {}).get("qosClass")
        if qos:
            new.setdefault("status", {})["qosClass"] = qos

    def prepare_ephemeral(self, new: Object, old: Object) -> None:
        """Keep all but the ephemeral containers."""
        wanted = new["spec"].get("ephemeralContainers") or []
        new["spec"] = {**old["spec"], "ephemeralContainers": wanted}
        new["metadata"] = {**old["metadata"]}
        new["status"] = old["status"]

    def validate(self, obj: Object) -> list[FieldError]:
        return deletion_cost(obj["metadata"]) + pod_spec(obj["spec"], "spec")

    def warnings(self, obj: Object) -> list[str]:
        return pod_warnings(obj["spec"], "spec")

    def validate_create(self, obj: Object) -> list[FieldError]:
        if obj["spec"].get("ephemeralContainers"):
            return [forbidden("spec.ephemeralContainers", "cannot be set on create")]
        return []

    def validate_replacement(self, new: Object, old: Object, *, status: bool) -> list[FieldError]:
        if new["spec"] == old["spec"]:  # what was accepted once stays
            return [] if status else deletion_cost(new["metadata"])
        errors = super().validate_replacement(new, old, status=status)
        return errors + ephemeral_kept(new["spec"], old["spec"], "spec.ephemeralContainers")

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        errors = _no_gate_added(new["spec"], old["spec"])
        if _frozen(new["spec"]) == _frozen(old["spec"]) and _only_added(new["spec"], old["spec"]):
            return errors
        return [*errors, forbidden("spec", _ONLY)]


def deletion_cost(meta: Object) -> list[FieldError]:
    """What is wrong with what a pod says of its worth when there are too many (KEP-2255)."""
    cost = (meta.get("annotations") or {}).get(_COST)
    if cost is None or (_INTEGER.fullmatch(cost) and -(2**31) <= int(cost) < 2**31):
        return []
    return [invalid(f"metadata.annotations[{_COST}]", cost, "must be a 32bit integer")]


def _frozen(spec: dict[str, Any]) -> dict[str, Any]:
    rest = {
        name: value
        for name, value in spec.items()
        if name not in ("activeDeadlineSeconds", "tolerations", "schedulingGates", "containers", "initContainers")
    }
    for member in ("containers", "initContainers"):
        rest[member] = [{**container, "image": ""} for container in spec.get(member) or []]
    return rest


def _no_gate_added(new: dict[str, Any], old: dict[str, Any]) -> list[FieldError]:
    before = {gate["name"] for gate in old.get("schedulingGates") or []}
    return [
        forbidden(
            f"spec.schedulingGates[{index}].name", f"only deletion is allowed, but found new scheduling gate '{name}'"
        )
        for index, name in enumerate(gate.get("name", "") for gate in new.get("schedulingGates") or [])
        if name not in before
    ]


def _only_added(new: dict[str, Any], old: dict[str, Any]) -> bool:
    return all(toleration in (new.get("tolerations") or []) for toleration in old.get("tolerations") or [])


def qos_class(spec: dict[str, Any]) -> str:
    """Guaranteed, Burstable or BestEffort.

    Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
    """
    guaranteed, any_set = True, False
    for path, container in containers(spec):
        if path.startswith("ephemeral"):
            continue
        resources = container.get("resources") or {}
        requests = {
            name: amount for name, amount in (resources.get("requests") or {}).items() if quantity_value(amount)
        }
        limits = {name: amount for name, amount in (resources.get("limits") or {}).items() if quantity_value(amount)}
        any_set = any_set or any(name in ("cpu", "memory") for name in (*requests, *limits))
        for name in ("cpu", "memory"):
            if name not in limits or limits[name] != requests.get(name, limits[name]):
                guaranteed = False
    return "BestEffort" if not any_set else "Guaranteed" if guaranteed else "Burstable"
