"""What bounds and ranks work: quota, limits, disruption budgets, priorities."""

from __future__ import annotations

from kubelab.engine.apiserver.resources.types import STATUS, ResourceType

RESOURCEQUOTAS = ResourceType(
    "",
    "v1",
    "resourcequotas",
    "resourcequota",
    "ResourceQuota",
    "io.k8s.api.core.v1.ResourceQuota",
    short_names=("quota",),
    subresources=(STATUS,),
)
LIMITRANGES = ResourceType(
    "",
    "v1",
    "limitranges",
    "limitrange",
    "LimitRange",
    "io.k8s.api.core.v1.LimitRange",
    short_names=("limits",),
)
PODDISRUPTIONBUDGETS = ResourceType(
    "policy",
    "v1",
    "poddisruptionbudgets",
    "poddisruptionbudget",
    "PodDisruptionBudget",
    "io.k8s.api.policy.v1.PodDisruptionBudget",
    short_names=("pdb",),
    subresources=(STATUS,),
    generation=True,
)
PRIORITYCLASSES = ResourceType(
    "scheduling.k8s.io",
    "v1",
    "priorityclasses",
    "priorityclass",
    "PriorityClass",
    "io.k8s.api.scheduling.v1.PriorityClass",
    namespaced=False,
    short_names=("pc",),
    generation=True,
)
