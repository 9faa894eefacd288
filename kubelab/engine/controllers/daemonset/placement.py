"""On which nodes a DaemonSet runs, and the pod that is made for one of them.

The scheduler binds that pod like any other; its node affinity leaves it one choice.
https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#how-daemon-pods-are-scheduled
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from kubelab.engine.client import Object
from kubelab.engine.client.resources import DAEMONSETS
from kubelab.engine.controllers.history import REVISION_LABEL
from kubelab.engine.controllers.labels import annotations_of
from kubelab.engine.controllers.pod_control import pod_of
from kubelab.engine.controllers.scheduler.affinity import suits_node
from kubelab.engine.controllers.taints import tolerates

GENERATION = "deprecated.daemonset.template.generation"
GENERATION_LABEL = "pod-template-generation"
_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
_TOLERATED_ON_HOST_NETWORK = (("node.kubernetes.io/network-unavailable", "NoSchedule"),)
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def should_run(daemonset: Object, node: Object) -> tuple[bool, bool]:
    """Whether a pod should be made on the node, and whether one that is there may stay.

    They differ where a taint came later that keeps new pods out.
    """
    spec = daemonset["spec"]["template"]["spec"]
    pod = {"spec": {**spec, "tolerations": daemon_tolerations(spec)}}
    if spec.get("nodeName", node["metadata"]["name"]) != node["metadata"]["name"] or not suits_node(pod, node):
        return False, False
    untolerated = {each["effect"] for each in node["spec"].get("taints") or () if not tolerates(pod, each)}
    may_stay = "NoExecute" not in untolerated
    return may_stay and "NoSchedule" not in untolerated, may_stay


def daemon_tolerations(spec: Object) -> list[Object]:
    """The template's tolerations and those that every daemon has: it stays where other pods would not."""
    added = [*_TOLERATED, *(_TOLERATED_ON_HOST_NETWORK if spec.get("hostNetwork") else ())]
    own = [each for each in spec.get("tolerations") or () if (each.get("key"), each.get("effect")) not in added]
    return [*own, *({"key": key, "operator": "Exists", "effect": effect} for key, effect in added)]


def daemon_pod(daemonset: Object, node: str, revision_hash: str) -> Object:
    """The pod for a node, for the API to name."""
    pod = pod_of(daemonset, DAEMONSETS, daemonset["spec"]["template"])
    labels = {**pod["metadata"].get("labels", {}), REVISION_LABEL: revision_hash}
    if generation := annotations_of(daemonset).get(GENERATION):
        labels[GENERATION_LABEL] = generation
    spec = pod["spec"]
    pin = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    affinity = spec.get("affinity") or {}
    node_affinity = {**(affinity.get("nodeAffinity") or {}), _REQUIRED: {"nodeSelectorTerms": [pin]}}
    return {
        "metadata": {**pod["metadata"], "labels": labels},
        "spec": {
            **spec,
            "affinity": {**affinity, "nodeAffinity": node_affinity},
            "tolerations": daemon_tolerations(spec),
        },
    }


def node_of(pod: Object) -> str:
    """The name of the node that a daemon's pod is on, or is pinned to as long as it waits; empty for neither."""
    if name := pod["spec"].get("nodeName"):
        return str(name)
    required = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED) or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field["key"] == "metadata.name" and field["operator"] == "In" and len(field["values"]) == 1:
                return str(field["values"][0])
    return ""


def by_node(pods: Iterable[Object]) -> dict[str, list[Object]]:
    """The pods on each node, the oldest first."""
    found: defaultdict[str, list[Object]] = defaultdict(list)
    for pod in sorted(pods, key=lambda each: (each["metadata"]["creationTimestamp"], each["metadata"]["name"])):
        found[node_of(pod)].append(pod)
    return dict(found)
