"""Deployments and ReplicaSets: a number of pods made from a template."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.kinds.base import Kind, fill
from kubelab.engine.apiserver.kinds.pod_defaults import default_pod_spec
from kubelab.engine.apiserver.validation.fields import (
    FieldError,
    forbidden,
    immutable,
    invalid,
    not_supported,
)
from kubelab.engine.apiserver.validation.numbers import count_or_percent, non_negative
from kubelab.engine.apiserver.validation.pod_warnings import pod_warnings
from kubelab.engine.apiserver.validation.template import pod_template, template_selector


class ReplicaSetKind(Kind):
    """A ReplicaSet; also the common part of a Deployment."""

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        fill(spec, replicas=1)
        if "template" in spec:
            spec["template"].setdefault("metadata", {})
            default_pod_spec(spec["template"].setdefault("spec", {}))

    def prepare_create(self, obj: Object) -> None:
        obj["status"] = {"replicas": 0} if self.rtype.kind == "ReplicaSet" else {}
        obj["metadata"]["generation"] = 1

    def validate(self, obj: Object) -> list[FieldError]:
        spec = obj["spec"]
        errors = non_negative(spec, "spec", "replicas", "minReadySeconds")
        selector, template = spec.get("selector"), spec.get("template")
        errors += template_selector(selector, "invalid for deployment")  # upstream says so of ReplicaSets too
        return errors + pod_template(template, selector, self.rtype.kind)

    def warnings(self, obj: Object) -> list[str]:
        return pod_warnings(obj["spec"]["template"]["spec"], "spec.template.spec")

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        return immutable("spec.selector", new["spec"].get("selector"), old["spec"].get("selector"))


class DeploymentKind(ReplicaSetKind):
    """A Deployment: besides, how it rolls out."""

    def default(self, obj: Object) -> None:
        super().default(obj)
        spec = obj["spec"]
        strategy = spec.setdefault("strategy", {})
        fill(strategy, type="RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            fill(strategy.setdefault("rollingUpdate", {}), maxUnavailable="25%", maxSurge="25%")
        fill(spec, revisionHistoryLimit=10, progressDeadlineSeconds=600)

    def validate(self, obj: Object) -> list[FieldError]:
        spec = obj["spec"]
        errors = super().validate(obj)
        errors += non_negative(spec, "spec", "revisionHistoryLimit", "progressDeadlineSeconds")
        deadline = spec.get("progressDeadlineSeconds")
        if deadline is not None and 0 <= deadline <= spec.get("minReadySeconds", 0):
            errors.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
        return errors + _strategy(spec["strategy"])


def _strategy(strategy: dict[str, Any]) -> list[FieldError]:
    rolling = strategy.get("rollingUpdate")
    if strategy["type"] == "Recreate":
        why = "may not be specified when strategy `type` is 'Recreate'"
        return [forbidden("spec.strategy.rollingUpdate", why)] if rolling is not None else []
    if strategy["type"] != "RollingUpdate":
        return [not_supported("spec.strategy.type", strategy["type"], ("Recreate", "RollingUpdate"))]
    errors: list[FieldError] = []
    rolling = rolling or {}
    for member in ("maxUnavailable", "maxSurge"):
        errors += count_or_percent(
            rolling[member], f"spec.strategy.rollingUpdate.{member}", at_most_all=member == "maxUnavailable"
        )
    if rolling["maxUnavailable"] in (0, "0%") and rolling["maxSurge"] in (0, "0%"):
        why = "may not be 0 when `maxSurge` is 0"
        errors.append(invalid("spec.strategy.rollingUpdate.maxUnavailable", rolling["maxUnavailable"], why))
    return errors
