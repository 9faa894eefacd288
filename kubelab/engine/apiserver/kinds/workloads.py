"""Deployments and ReplicaSets: a number of pods made from a template."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.kinds.base import Kind, fill
from kubelab.engine.apiserver.kinds.pod_defaults import default_pod_spec
from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import (
    FieldError,
    forbidden,
    immutable,
    invalid,
    not_supported,
    required,
)
from kubelab.engine.apiserver.validation.metadata import label_selector, selector_matches
from kubelab.engine.apiserver.validation.pod import pod_spec


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
        if not selector:
            errors.append(required("spec.selector"))
        else:
            errors += label_selector(selector, "spec.selector")
        return errors + self._template(template, selector)

    def _template(self, template: Any, selector: Any) -> list[FieldError]:
        if template is None:
            return [required("spec.template")]
        labels = (template.get("metadata") or {}).get("labels") or {}
        errors = names.labels(labels, "spec.template.labels")
        if selector and not selector_matches(selector, labels):
            why = "`selector` does not match template `labels`"
            errors.append(invalid("spec.template.metadata.labels", labels, why))
        errors += names.annotation_map((template.get("metadata") or {}).get("annotations"), "spec.template.annotations")
        spec = template["spec"]
        errors += pod_spec(spec, "spec.template.spec")
        if spec.get("restartPolicy") in ("OnFailure", "Never"):
            errors.append(not_supported("spec.template.spec.restartPolicy", spec["restartPolicy"], ("Always",)))
        if spec.get("activeDeadlineSeconds") is not None:
            why = f"activeDeadlineSeconds in {self.rtype.kind} is not Supported"
            errors.append(forbidden("spec.template.spec.activeDeadlineSeconds", why))
        return errors

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
        errors += _count_or_percent(rolling[member], f"spec.strategy.rollingUpdate.{member}")
    if rolling["maxUnavailable"] in (0, "0%") and rolling["maxSurge"] in (0, "0%"):
        why = "may not be 0 when `maxSurge` is 0"
        errors.append(invalid("spec.strategy.rollingUpdate.maxUnavailable", rolling["maxUnavailable"], why))
    return errors


def _count_or_percent(value: Any, at: str) -> list[FieldError]:
    if isinstance(value, int):
        return [] if value >= 0 else [invalid(at, value, "must be greater than or equal to 0")]
    if not (value.endswith("%") and value[:-1].isdigit()):
        return [invalid(at, value, "a valid percent string must be a numeric string followed by an ending '%'")]
    if at.endswith("maxUnavailable") and int(value[:-1]) > 100:
        return [invalid(at, value, "must not be greater than 100%")]
    return []


def non_negative(holder: dict[str, Any], at: str, *members: str) -> list[FieldError]:
    """The members that are set and below zero."""
    return [
        invalid(f"{at}.{member}", holder[member], "must be greater than or equal to 0")
        for member in members
        if isinstance(holder.get(member), int) and holder[member] < 0
    ]
