"""The rules of a PodDisruptionBudget, as Kubernetes 1.36 has them.

Source: https://kubernetes.io/docs/tasks/run-application/configure-pdb/
"""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.validation.fields import FieldError, invalid, not_supported
from kubelab.engine.apiserver.validation.metadata import label_selector
from kubelab.engine.apiserver.validation.numbers import count_or_percent, non_negative

_EVICTION_POLICIES = ("AlwaysAllow", "IfHealthyBudget")


def budget_spec(spec: dict[str, Any]) -> list[FieldError]:
    """Everything wrong with a PodDisruptionBudget's spec."""
    errors: list[FieldError] = []
    if "minAvailable" in spec and "maxUnavailable" in spec:
        errors.append(invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"))
    for member in ("minAvailable", "maxUnavailable"):
        if member in spec:
            errors += count_or_percent(spec[member], f"spec.{member}", at_most_all=True)
    errors += label_selector(spec.get("selector") or {}, "spec.selector")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in _EVICTION_POLICIES:
        errors.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, _EVICTION_POLICIES))
    return errors


def budget_status(status: dict[str, Any]) -> list[FieldError]:
    """Everything wrong with the numbers of its status."""
    return non_negative(status, "status", "disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
