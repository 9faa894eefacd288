"""Which nodes a pod can run on, and in upstream's words why not on the others.

https://kubernetes.io/docs/concepts/scheduling-eviction/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from kubelab.engine.client import Object
from kubelab.engine.controllers.nodes.taints import UNSCHEDULABLE, taints_for
from kubelab.engine.controllers.scheduler.affinity import (
    avoids_neighbours,
    is_avoided,
    suits_neighbours,
    suits_node,
)
from kubelab.engine.controllers.scheduler.cluster import Cluster, domain
from kubelab.engine.controllers.scheduler.resources import lacking
from kubelab.engine.controllers.scheduler.spread import constraints, skew
from kubelab.engine.controllers.taints import keep_out, tolerates


class Refusal(NamedTuple):
    """Why a node does not do. ``final``: evicting other pods from it would not help either."""

    reasons: tuple[str, ...]
    final: bool


def refusal(pod: Object, node: Object, cluster: Cluster, now: datetime) -> Refusal | None:
    """Why the pod cannot run on the node; None when it can. The first objection is the one that is named."""
    if node["spec"].get("unschedulable") and not tolerates(pod, {"key": UNSCHEDULABLE, "effect": "NoSchedule"}):
        return Refusal(("node(s) were unschedulable",), final=True)
    # As the node should be tainted, not as it is: a node that has just stopped being ready is not chosen any more.
    if keep_out(taints_for(node, now), pod):
        return Refusal(("node(s) had untolerated taint(s)",), final=True)
    if not suits_node(pod, node):
        return Refusal(("node(s) didn't match Pod's node affinity/selector",), final=True)
    ports = _host_ports(pod)
    if ports and any(ports & _host_ports(each) for each in cluster.pods_on(node)):
        return Refusal(("node(s) didn't have free ports for the requested pod ports",), final=False)
    if short := lacking(pod, node, cluster.pods_on(node)):
        return Refusal(tuple("Too many pods" if each == "pods" else f"Insufficient {each}" for each in short), False)
    return _spread_refusal(pod, node, cluster) or _neighbour_refusal(pod, node, cluster)


def _spread_refusal(pod: Object, node: Object, cluster: Cluster) -> Refusal | None:
    reason = "node(s) didn't match pod topology spread constraints"
    for constraint in constraints(pod, "DoNotSchedule"):
        if domain(node, constraint["topologyKey"]) is None:
            return Refusal((f"{reason} (missing required label)",), final=True)
        if skew(constraint, pod, node, cluster) > constraint["maxSkew"]:
            return Refusal((reason,), final=False)
    return None


def _neighbour_refusal(pod: Object, node: Object, cluster: Cluster) -> Refusal | None:
    if not suits_neighbours(pod, node, cluster):
        return Refusal(("node(s) didn't match pod affinity rules",), final=True)
    if not avoids_neighbours(pod, node, cluster):
        return Refusal(("node(s) didn't match pod anti-affinity rules",), final=False)
    if is_avoided(pod, node, cluster):
        return Refusal(("node(s) didn't satisfy existing pods anti-affinity rules",), final=False)
    return None


def _host_ports(pod: Object) -> set[tuple[str, int]]:
    return {
        (port.get("protocol", "TCP"), port["hostPort"])
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or ()
        if port.get("hostPort")
    }


def explain(refusals: Mapping[str, Refusal]) -> str:
    """The sentence of the event FailedScheduling; ``refusals`` has one for every node.

    With upstream's second half, what evicting pods of a lower priority would bring (never anything here, as this
    scheduler does not preempt).
    """
    if not refusals:
        return "no nodes available to schedule pods"
    head = f"0/{len(refusals)} nodes are available: "
    reasons = Counter(reason for each in refusals.values() for reason in each.reasons)
    unhelped = Counter(
        "Preemption is not helpful for scheduling" if each.final else "No preemption victims found for incoming pod"
        for each in refusals.values()
    )
    return f"{head}{_listed(reasons)}. preemption: {head}{_listed(unhelped)}."


def _listed(reasons: Counter[str]) -> str:
    return ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
