"""The admission plugin Priority: pods get the priority of their class, and only one class is the default.

Source: https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
"""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.status import forbidden
from kubelab.engine.apiserver.storage import Store

_WITHOUT_CLASS: Object = {"value": 0, "preemptionPolicy": "PreemptLowerPriority"}


def admit_pod(store: Store, pod: Object) -> None:
    """Write the class's numbers into the pod. Raises a 403 Status for a class that there is not."""
    spec = pod["spec"]
    name = spec.get("priorityClassName")
    if name:
        stored = store.get(r.PRIORITYCLASSES.storage_key, ("", name))
        if stored is None:
            raise forbidden(r.PODS, pod["metadata"]["name"], f"no PriorityClass with name {name} was found")
        chosen = stored.obj
    else:
        chosen = _default(store) or _WITHOUT_CLASS
        if "metadata" in chosen:
            spec["priorityClassName"] = chosen["metadata"]["name"]
    _compute(pod, "priority", chosen["value"], "integer value of priority")
    _compute(pod, "preemptionPolicy", chosen["preemptionPolicy"], "string value of PreemptionPolicy")


def admit_class(store: Store, new: Object) -> None:
    """Raises a 403 Status for a second default."""
    name = new["metadata"].get("name", "")
    known = _default(store, besides=name) if new.get("globalDefault") else None
    if known is not None:
        why = f"PriorityClass {known['metadata']['name']} is already marked as default. Only one default can exist"
        raise forbidden(r.PRIORITYCLASSES, name, why)


def _default(store: Store, besides: str = "") -> Object | None:
    classes = [stored.obj for stored in store.shelf(r.PRIORITYCLASSES.storage_key).sorted()]
    defaults = [one for one in classes if one.get("globalDefault") and one["metadata"]["name"] != besides]
    return min(defaults, key=lambda one: one["value"], default=None)


def _compute(pod: Object, member: str, value: Any, what: str) -> None:
    said = pod["spec"].get(member)
    if said not in (None, value):
        why = f"the {what} ({said}) must not be provided in pod spec; priority admission controller computed {value} "
        raise forbidden(r.PODS, pod["metadata"]["name"], f"{why}from the given PriorityClass name")
    pod["spec"][member] = value
