"""What a learner may do: what the lessons do, in the learner's own namespace, and nothing that lifts its limits.

Quota, limits, roles and NetworkPolicies can be read and not changed. Cluster-wide there are a few things to look at,
none of which belongs to another learner.
"""

from __future__ import annotations

from typing import Any

LOOK = ["get", "list", "watch"]
CHANGE = [*LOOK, "create", "update", "patch", "delete", "deletecollection"]


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


IN_THE_NAMESPACE = [
    _rule("", ["configmaps", "pods", "secrets", "services"], CHANGE),
    _rule("", ["pods/log", "pods/status", "services/status"], ["get"]),
    # exec, attach and port-forward are a GET over WebSocket, which is checked as create since 1.35, and as get before
    _rule("", ["pods/attach", "pods/exec", "pods/portforward"], ["get", "create"]),
    _rule("", ["pods/ephemeralcontainers"], ["get", "update", "patch"]),
    _rule("", ["pods/eviction"], ["create"]),
    _rule("", ["endpoints", "events", "limitranges", "resourcequotas", "serviceaccounts"], LOOK),
    # checked as in the namespace of that name, so this is the own one only
    _rule("", ["namespaces"], ["get"]),
    _rule("apps", ["daemonsets", "deployments", "replicasets", "statefulsets"], CHANGE),
    _rule("apps", ["deployments/scale", "replicasets/scale", "statefulsets/scale"], ["get", "update", "patch"]),
    _rule("apps", ["daemonsets/status", "deployments/status", "replicasets/status", "statefulsets/status"], ["get"]),
    _rule("apps", ["controllerrevisions"], LOOK),
    _rule("batch", ["cronjobs", "jobs"], CHANGE),
    _rule("discovery.k8s.io", ["endpointslices"], LOOK),
    _rule("events.k8s.io", ["events"], LOOK),
    _rule("gateway.networking.k8s.io", ["gateways", "httproutes", "referencegrants"], CHANGE),
    _rule("networking.k8s.io", ["ingresses"], CHANGE),
    _rule("networking.k8s.io", ["ingresses/status"], ["get"]),
    _rule("networking.k8s.io", ["networkpolicies"], LOOK),
    _rule("policy", ["poddisruptionbudgets"], CHANGE),
    _rule("rbac.authorization.k8s.io", ["rolebindings", "roles"], LOOK),
]
"""The lessons' verbs, for a ClusterRole that is bound in one namespace at a time."""

CLUSTER_WIDE = [
    _rule("", ["nodes"], LOOK),
    _rule("gateway.networking.k8s.io", ["gatewayclasses"], LOOK),
    _rule("networking.k8s.io", ["ingressclasses", "servicecidrs"], LOOK),
]
