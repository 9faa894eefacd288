"""The columns of DaemonSets, StatefulSets and ControllerRevisions."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.tables import cells as c
from kubelab.engine.apiserver.tables.cells import AGE, NAME, NONE, Column, TableOf, wide


def _daemon_set(obj: Object, now: float) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    template = spec["template"]["spec"]
    counts = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled",
              "numberAvailable")  # fmt: skip
    return [
        obj["metadata"]["name"],
        *(status.get(name, 0) for name in counts),
        c.labels(template.get("nodeSelector")),
        c.age(obj, now),
        *c.containers(template),
        c.selector(spec.get("selector")),
    ]


def _stateful_set(obj: Object, now: float) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    return [obj["metadata"]["name"], ready, c.age(obj, now), *c.containers(spec["template"]["spec"])]


def _controller_revision(obj: Object, now: float) -> list[Any]:
    owners = obj["metadata"].get("ownerReferences") or []
    owner = next((one for one in owners if one.get("controller")), None)
    return [obj["metadata"]["name"], _owner(owner) if owner else NONE, obj["revision"], c.age(obj, now)]


def _owner(reference: Object) -> str:
    group = reference["apiVersion"].rpartition("/")[0]
    kind = reference["kind"].lower()
    return f"{kind}.{group}/{reference['name']}" if group else f"{kind}/{reference['name']}"


_CONTAINERS = wide("Containers", "Names of each container in the template.")
_IMAGES = wide("Images", "Images referenced by each container in the template.")

SET_TABLES: dict[str, TableOf] = {
    "DaemonSet": TableOf(
        (
            NAME,
            Column("Desired", "integer", description="Number of nodes that should be running the pod."),
            Column("Current", "integer", description="Number of nodes that run at least one of its pods and should."),
            Column("Ready", "integer", description="Number of nodes with a pod that is ready."),
            Column("Up-to-date", "integer", description="Number of nodes that run the updated pod."),
            Column("Available", "integer", description="Number of nodes with a pod that is available."),
            Column("Node Selector", description="Labels that a node must have for the pod to fit on it."),
            AGE,
            _CONTAINERS,
            _IMAGES,
            wide("Selector", "Label selector for pods."),
        ),
        _daemon_set,
    ),
    "StatefulSet": TableOf(
        (NAME, Column("Ready", description="Number of the pod with ready state"), AGE, _CONTAINERS, _IMAGES),
        _stateful_set,
    ),
    "ControllerRevision": TableOf(
        (
            NAME,
            Column("Controller", description="The object that this is a revision of."),
            Column("Revision", description="Counts the states that the object has had."),
            AGE,
        ),
        _controller_revision,
    ),
}
