"""Topology spread constraints.

https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
"""

from __future__ import annotations

from collections import Counter

from kubelab.engine.client import Object
from kubelab.engine.controllers.labels import labels_of, selects
from kubelab.engine.controllers.owners import is_being_deleted
from kubelab.engine.controllers.scheduler.affinity import suits_node
from kubelab.engine.controllers.scheduler.cluster import Cluster, domain
from kubelab.engine.controllers.taints import keep_out


def constraints(pod: Object, when_unsatisfiable: str) -> list[Object]:
    """The pod's constraints that are hard (``DoNotSchedule``) or soft (``ScheduleAnyway``)."""
    every = pod["spec"].get("topologySpreadConstraints") or ()
    return [each for each in every if each["whenUnsatisfiable"] == when_unsatisfiable]


def skew(constraint: Object, pod: Object, node: Object, cluster: Cluster) -> int:
    """By how much the node's domain would have more matching pods than the emptiest one, with the pod in it.

    The node must have the topology key.
    """
    key = constraint["topologyKey"]
    counts: Counter[str] = Counter()
    for each in cluster.nodes:
        where = domain(each, key)
        if where is not None and _included(constraint, pod, each):
            counts[where] += sum(_counts(constraint, pod, other) for other in cluster.pods_on(each))
    least = min(counts.values(), default=0)
    if len(counts) < constraint.get("minDomains", 1):
        least = 0
    return counts[domain(node, key) or ""] + _counts(constraint, pod, pod) - least


def _included(constraint: Object, pod: Object, node: Object) -> bool:
    """Whether a node counts: by default whatever its taints, if the pod's own selector takes it (KEP-3094)."""
    if constraint.get("nodeAffinityPolicy", "Honor") == "Honor" and not suits_node(pod, node):
        return False
    honours_taints = constraint.get("nodeTaintsPolicy", "Ignore") == "Honor"
    return not (honours_taints and keep_out(node["spec"].get("taints") or (), pod))


def _counts(constraint: Object, pod: Object, other: Object) -> bool:
    if other["metadata"]["namespace"] != pod["metadata"]["namespace"] or is_being_deleted(other):
        return False
    keys = constraint.get("matchLabelKeys") or ()
    same = all(labels_of(other).get(key) == value for key, value in labels_of(pod).items() if key in keys)
    return same and selects(constraint.get("labelSelector"), labels_of(other))
