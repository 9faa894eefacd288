"""Node selectors, node affinity, pod affinity and anti-affinity.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
"""

from __future__ import annotations

from collections.abc import Iterable

from kubelab.engine.client import Object
from kubelab.engine.controllers.labels import labels_of, requirement_holds, selects
from kubelab.engine.controllers.scheduler.cluster import Cluster, domain

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def suits_node(pod: Object, node: Object) -> bool:
    """Whether the pod's ``nodeSelector`` and required node affinity take the node."""
    wanted = pod["spec"].get("nodeSelector") or {}
    if not wanted.items() <= labels_of(node).items():
        return False
    required = _affinity(pod, "nodeAffinity").get(_REQUIRED)
    return required is None or any(_term_takes(term, node) for term in required["nodeSelectorTerms"])


def _term_takes(term: Object, node: Object) -> bool:
    """An empty term takes nothing."""
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    names = {"metadata.name": node["metadata"]["name"]}
    return bool(expressions or fields) and (
        all(requirement_holds(each, labels_of(node)) for each in expressions)
        and all(requirement_holds(each, names) for each in fields)
    )


def suits_neighbours(pod: Object, node: Object, cluster: Cluster) -> bool:
    """Required pod affinity. The first of a group that wants to be together may go anywhere."""
    for term in _affinity(pod, "podAffinity").get(_REQUIRED) or ():
        here = domain(node, term["topologyKey"])
        if here is None:
            return False
        placed = [(each, its) for each, its in cluster.placed() if _term_selects(term, pod, each, cluster)]
        if not placed and _term_selects(term, pod, pod, cluster):
            continue
        if not any(domain(its, term["topologyKey"]) == here for _, its in placed):
            return False
    return True


def avoids_neighbours(pod: Object, node: Object, cluster: Cluster) -> bool:
    """Whether nobody in the node's domains is one that the pod must not be with."""
    return not _meets(_affinity(pod, "podAntiAffinity").get(_REQUIRED) or (), pod, node, cluster)


def is_avoided(pod: Object, node: Object, cluster: Cluster) -> bool:
    """Whether somebody in the node's domains must not be with the pod."""
    for other, its_node in cluster.choosy():
        for term in _affinity(other, "podAntiAffinity").get(_REQUIRED) or ():
            here = domain(node, term["topologyKey"])
            together = here is not None and domain(its_node, term["topologyKey"]) == here
            if together and _term_selects(term, other, pod, cluster):
                return True
    return False


def preference(pod: Object, node: Object, cluster: Cluster) -> int:
    """The sum of the weights of the preferred terms that the node fulfils, less those it offends."""
    total = 0
    for each in _affinity(pod, "nodeAffinity").get(_PREFERRED) or ():
        total += each["weight"] * _term_takes(each["preference"], node)
    for kind, sign in (("podAffinity", 1), ("podAntiAffinity", -1)):
        for each in _affinity(pod, kind).get(_PREFERRED) or ():
            total += sign * each["weight"] * _meets([each["podAffinityTerm"]], pod, node, cluster)
    return total


def _meets(terms: Iterable[Object], pod: Object, node: Object, cluster: Cluster) -> bool:
    for term in terms:
        here = domain(node, term["topologyKey"])
        if here is not None and any(
            domain(its, term["topologyKey"]) == here and _term_selects(term, pod, other, cluster)
            for other, its in cluster.placed()
        ):
            return True
    return False


def _term_selects(term: Object, owner: Object, other: Object, cluster: Cluster) -> bool:
    """Whether ``other`` is one of those that a term of ``owner`` speaks of. By default: in its own namespace."""
    namespace = other["metadata"]["namespace"]
    named = term.get("namespaces") or []
    by_labels = term.get("namespaceSelector")
    if not named and by_labels is None:
        in_namespace = namespace == owner["metadata"]["namespace"]
    else:
        in_namespace = namespace in named or selects(by_labels, cluster.namespaces.get(namespace, {}))
    return in_namespace and selects(term.get("labelSelector"), labels_of(other))


def _affinity(pod: Object, kind: str) -> Object:
    return (pod["spec"].get("affinity") or {}).get(kind) or {}
