"""Which node a pod gets.

Of the nodes that can have it, the one that it prefers by its own affinities; then the one with the fewest pods of the
same kind, then with the fewest pods at all, then the first by name. So replicas spread, and the same cluster gets the
same answer every time.
"""

from __future__ import annotations

from datetime import datetime

from kubelab.engine.client import Object
from kubelab.engine.controllers.labels import labels_of
from kubelab.engine.controllers.owners import controller_of
from kubelab.engine.controllers.scheduler.affinity import preference
from kubelab.engine.controllers.scheduler.cluster import Cluster, domain
from kubelab.engine.controllers.scheduler.filters import Refusal, refusal
from kubelab.engine.controllers.scheduler.spread import constraints, skew


def choose(pod: Object, cluster: Cluster, now: datetime) -> tuple[str | None, dict[str, Refusal]]:
    """The name of the chosen node, or None and for every node why not."""
    refusals: dict[str, Refusal] = {}
    ranked = []
    for node in cluster.nodes:
        why_not = refusal(pod, node, cluster, now)
        if why_not is not None:
            refusals[node["metadata"]["name"]] = why_not
        else:
            ranked.append(_rank(pod, node, cluster))
    return (min(ranked)[-1], refusals) if ranked else (None, refusals)


def _rank(pod: Object, node: Object, cluster: Cluster) -> tuple[int, int, int, int, str]:
    neighbours = cluster.pods_on(node)
    soft = sum(
        skew(each, pod, node, cluster)
        for each in constraints(pod, "ScheduleAnyway")
        if domain(node, each["topologyKey"]) is not None
    )
    siblings = sum(_are_siblings(pod, each) for each in neighbours)
    return -preference(pod, node, cluster), soft, siblings, len(neighbours), node["metadata"]["name"]


def _are_siblings(pod: Object, other: Object) -> bool:
    """Of the same controller; or, without one, of the same labels in the same namespace."""
    owner, its_owner = controller_of(pod), controller_of(other)
    if owner is not None or its_owner is not None:
        return owner is not None and its_owner is not None and owner["uid"] == its_owner["uid"]
    same_namespace = pod["metadata"]["namespace"] == other["metadata"]["namespace"]
    return same_namespace and bool(labels_of(pod)) and labels_of(pod) == labels_of(other)
