"""Every resource that the API serves: one entry each, a file a subject."""

from __future__ import annotations

from kubelab.engine.apiserver.resources.core import (
    CONFIGMAPS,
    ENDPOINTS,
    EVENTS,
    EVENTS_V1,
    NAMESPACES,
    NODES,
    PODS,
    SECRETS,
    SERVICEACCOUNTS,
    SERVICES,
)
from kubelab.engine.apiserver.resources.machinery import CUSTOMRESOURCEDEFINITIONS, LEASES
from kubelab.engine.apiserver.resources.networking import (
    ENDPOINTSLICES,
    INGRESSCLASSES,
    INGRESSES,
    IPADDRESSES,
    NETWORKPOLICIES,
    SERVICECIDRS,
)
from kubelab.engine.apiserver.resources.policies import (
    LIMITRANGES,
    PODDISRUPTIONBUDGETS,
    PRIORITYCLASSES,
    RESOURCEQUOTAS,
)
from kubelab.engine.apiserver.resources.rbac import CLUSTERROLEBINDINGS, CLUSTERROLES, ROLEBINDINGS, ROLES
from kubelab.engine.apiserver.resources.reviews import (
    LOCAL_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_REVIEWS,
    SELF_SUBJECT_RULES_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
    TOKEN_REVIEWS,
)
from kubelab.engine.apiserver.resources.types import ALL_VERBS, SCALE, STATUS, ResourceType, Subresource
from kubelab.engine.apiserver.resources.workloads import (
    CONTROLLERREVISIONS,
    DAEMONSETS,
    DEPLOYMENTS,
    REPLICASETS,
    STATEFULSETS,
)

STORED: tuple[ResourceType, ...] = (
    CONFIGMAPS, ENDPOINTS, EVENTS, LIMITRANGES, NAMESPACES, NODES, PODS, RESOURCEQUOTAS, SECRETS, SERVICEACCOUNTS,
    SERVICES,
    CONTROLLERREVISIONS, DAEMONSETS, DEPLOYMENTS, REPLICASETS, STATEFULSETS,
    INGRESSCLASSES, INGRESSES, IPADDRESSES, NETWORKPOLICIES, SERVICECIDRS,
    PODDISRUPTIONBUDGETS,
    CLUSTERROLEBINDINGS, CLUSTERROLES, ROLEBINDINGS, ROLES,
    PRIORITYCLASSES,
    LEASES,
    ENDPOINTSLICES,
    EVENTS_V1,
    CUSTOMRESOURCEDEFINITIONS,
)  # fmt: skip
"""In the order in which discovery lists their groups."""

REVIEWS: tuple[ResourceType, ...] = (
    SELF_SUBJECT_REVIEWS, TOKEN_REVIEWS,
    LOCAL_SUBJECT_ACCESS_REVIEWS, SELF_SUBJECT_ACCESS_REVIEWS, SELF_SUBJECT_RULES_REVIEWS, SUBJECT_ACCESS_REVIEWS,
)  # fmt: skip
"""Questions that are answered and not stored."""

ALL: tuple[ResourceType, ...] = STORED + REVIEWS

__all__ = [
    "ALL",
    "ALL_VERBS",
    "CLUSTERROLEBINDINGS",
    "CLUSTERROLES",
    "CONFIGMAPS",
    "CONTROLLERREVISIONS",
    "CUSTOMRESOURCEDEFINITIONS",
    "DAEMONSETS",
    "DEPLOYMENTS",
    "ENDPOINTS",
    "ENDPOINTSLICES",
    "EVENTS",
    "EVENTS_V1",
    "INGRESSCLASSES",
    "INGRESSES",
    "IPADDRESSES",
    "LEASES",
    "LIMITRANGES",
    "LOCAL_SUBJECT_ACCESS_REVIEWS",
    "NAMESPACES",
    "NETWORKPOLICIES",
    "NODES",
    "PODDISRUPTIONBUDGETS",
    "PODS",
    "PRIORITYCLASSES",
    "REPLICASETS",
    "RESOURCEQUOTAS",
    "REVIEWS",
    "ROLEBINDINGS",
    "ROLES",
    "SCALE",
    "SECRETS",
    "SELF_SUBJECT_ACCESS_REVIEWS",
    "SELF_SUBJECT_REVIEWS",
    "SELF_SUBJECT_RULES_REVIEWS",
    "SERVICEACCOUNTS",
    "SERVICECIDRS",
    "SERVICES",
    "STATEFULSETS",
    "STATUS",
    "STORED",
    "SUBJECT_ACCESS_REVIEWS",
    "TOKEN_REVIEWS",
    "ResourceType",
    "Subresource",
]
