"""The taints that follow from a node's conditions.

https://kubernetes.io/docs/reference/labels-annotations-taints/#node-kubernetes-io-not-ready and the next ones
"""

from __future__ import annotations

from datetime import datetime

from kubelab.engine.client import Object
from kubelab.engine.controllers.clock import written
from kubelab.engine.controllers.conditions import find

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
OF_CONDITIONS = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
    "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
}
_OURS = {NOT_READY, UNREACHABLE, UNSCHEDULABLE, *OF_CONDITIONS.values()}


def ready_status(node: Object) -> str:
    """True, False or Unknown; empty before the node has said anything."""
    return _status(node, "Ready")


def taints_for(node: Object, now: datetime, *, evicts: bool = True) -> list[Object]:
    """The taints that a node should have: others' as they are, ours from its conditions and ``unschedulable``.

    ``evicts`` is false while no node at all is ready: then the fault is hardly theirs, and nobody is sent away.
    """
    wanted = []
    match ready_status(node):
        case "False" | "":
            wanted = [(NOT_READY, "NoSchedule"), (NOT_READY, "NoExecute")]
        case "Unknown":
            wanted = [(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")]
    wanted += [(key, "NoSchedule") for kind, key in OF_CONDITIONS.items() if _status(node, kind) == "True"]
    if node["spec"].get("unschedulable"):
        wanted.append((UNSCHEDULABLE, "NoSchedule"))
    if not evicts:
        wanted = [each for each in wanted if each[1] != "NoExecute"]
    known = node["spec"].get("taints") or []
    kept = [each for each in known if each["key"] not in _OURS or (each["key"], each["effect"]) in wanted]
    there = {(each["key"], each["effect"]) for each in kept}
    return kept + [
        {"key": key, "effect": effect, "timeAdded": written(now)}
        for key, effect in wanted
        if (key, effect) not in there
    ]


def _status(node: Object, kind: str) -> str:
    condition = find((node.get("status") or {}).get("conditions"), kind)
    return condition["status"] if condition else ""
