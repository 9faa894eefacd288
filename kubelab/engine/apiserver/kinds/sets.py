"""DaemonSets and StatefulSets, and the ControllerRevisions in which they keep what their template was.

Sources: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/ and .../statefulset/
"""

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
    one_of,
    required,
)
from kubelab.engine.apiserver.validation.numbers import count_or_percent, is_zero, non_negative
from kubelab.engine.apiserver.validation.pod_warnings import pod_warnings
from kubelab.engine.apiserver.validation.template import pod_template, template_selector

Spec = dict[str, Any]

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
"""Counts the changes of a DaemonSet's template; ``apps/v1`` shows as an annotation what was a field before."""
_COUNTS = ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady")
_CHANGEABLE = ("replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
               "persistentVolumeClaimRetentionPolicy", "minReadySeconds")  # fmt: skip


def _default_template(spec: Spec) -> None:
    if "template" in spec:
        spec["template"].setdefault("metadata", {})
        default_pod_spec(spec["template"].setdefault("spec", {}))


class DaemonSetKind(Kind):
    """A DaemonSet: a pod on every node."""

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        _default_template(spec)
        strategy = spec.setdefault("updateStrategy", {})
        fill(strategy, type="RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            fill(strategy.setdefault("rollingUpdate", {}), maxUnavailable=1, maxSurge=0)
        fill(spec, revisionHistoryLimit=10)

    def prepare_create(self, obj: Object) -> None:
        obj["status"] = dict.fromkeys(_COUNTS, 0)
        obj["metadata"]["generation"] = 1
        _note_template(obj, 1)

    def prepare_update(self, new: Object, old: Object) -> None:
        super().prepare_update(new, old)
        was = int((old["metadata"].get("annotations") or {}).get(TEMPLATE_GENERATION, 1))
        _note_template(new, was + (new["spec"].get("template") != old["spec"].get("template")))

    def validate(self, obj: Object) -> list[FieldError]:
        spec = obj["spec"]
        errors = template_selector(spec.get("selector"), "invalid for daemonset")
        errors += pod_template(spec.get("template"), spec.get("selector"), "DaemonSet")
        errors += non_negative(spec, "spec", "minReadySeconds", "revisionHistoryLimit")
        return errors + _daemon_strategy(spec["updateStrategy"])

    def warnings(self, obj: Object) -> list[str]:
        return pod_warnings(obj["spec"]["template"]["spec"], "spec.template.spec")

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        return immutable("spec.selector", new["spec"].get("selector"), old["spec"].get("selector"))


def _note_template(obj: Object, generation: int) -> None:
    obj["metadata"].setdefault("annotations", {})[TEMPLATE_GENERATION] = str(generation)


def _daemon_strategy(strategy: Spec) -> list[FieldError]:
    if strategy["type"] != "RollingUpdate":
        return one_of("spec.updateStrategy", strategy["type"], ("OnDelete", "RollingUpdate"))
    here, rolling = "spec.updateStrategy.rollingUpdate", strategy["rollingUpdate"]
    errors: list[FieldError] = []
    for member in ("maxUnavailable", "maxSurge"):
        errors += count_or_percent(rolling[member], f"{here}.{member}", at_most_all=True)
    if errors:
        return errors
    unavailable, surge = not is_zero(rolling["maxUnavailable"]), not is_zero(rolling["maxSurge"])
    if unavailable and surge:
        errors.append(
            invalid(f"{here}.maxSurge", rolling["maxSurge"], "may not be set when maxUnavailable is non-zero")
        )
    elif not unavailable and not surge:
        errors.append(required(f"{here}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    return errors


class StatefulSetKind(Kind):
    """A StatefulSet: pods with names that stay."""

    def name_rule(self, name: str) -> list[str]:
        return names.dns1123_label(name)

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        _default_template(spec)
        fill(spec, podManagementPolicy="OrderedReady", replicas=1, revisionHistoryLimit=10)
        strategy = spec.setdefault("updateStrategy", {})
        if not strategy.get("type"):
            fill(strategy, type="RollingUpdate")
            strategy.setdefault("rollingUpdate", {})
        if strategy["type"] == "RollingUpdate" and strategy.get("rollingUpdate") is not None:
            fill(strategy["rollingUpdate"], partition=0)
        fill(spec.setdefault("persistentVolumeClaimRetentionPolicy", {}), whenDeleted="Retain", whenScaled="Retain")

    def prepare_create(self, obj: Object) -> None:
        obj["status"] = {"replicas": 0, "availableReplicas": 0}
        obj["metadata"]["generation"] = 1

    def validate(self, obj: Object) -> list[FieldError]:
        spec = obj["spec"]
        errors = _policy(spec) + _stateful_strategy(spec["updateStrategy"])
        errors += non_negative(spec, "spec", "replicas", "minReadySeconds", "revisionHistoryLimit")
        errors += non_negative(spec.get("ordinals") or {}, "spec.ordinals", "start")
        name = spec.get("serviceName")
        if name:
            errors += [invalid("spec.serviceName", name, why) for why in names.dns1123_label(name)]
        errors += template_selector(spec.get("selector"), "not valid for statefulset")
        claims = frozenset(
            (claim.get("metadata") or {}).get("name", "") for claim in spec.get("volumeClaimTemplates") or []
        )
        return errors + pod_template(spec.get("template"), spec.get("selector"), "StatefulSet", claims)

    def warnings(self, obj: Object) -> list[str]:
        return pod_warnings(obj["spec"]["template"]["spec"], "spec.template.spec")

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        if _fixed(new["spec"]) == _fixed(old["spec"]):
            return []
        *most, last = (f"'{member}'" for member in _CHANGEABLE)
        why = f"updates to statefulset spec for fields other than {', '.join(most)} and {last} are forbidden"
        return [forbidden("spec", why)]


def _fixed(spec: Spec) -> Spec:
    return {name: value for name, value in spec.items() if name not in _CHANGEABLE}


def _policy(spec: Spec) -> list[FieldError]:
    errors: list[FieldError] = []
    policy = spec["podManagementPolicy"]
    if policy not in ("OrderedReady", "Parallel"):
        errors.append(invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'"))
    for member, choice in spec["persistentVolumeClaimRetentionPolicy"].items():
        errors += one_of(f"spec.persistentVolumeClaimRetentionPolicy.{member}", choice, ("Delete", "Retain"))
    return errors


def _stateful_strategy(strategy: Spec) -> list[FieldError]:
    here, rolling = "spec.updateStrategy.rollingUpdate", strategy.get("rollingUpdate")
    if strategy["type"] == "OnDelete":
        why = "only allowed for updateStrategy 'RollingUpdate'"
        return [invalid(here, rolling, why)] if rolling is not None else []
    if strategy["type"] != "RollingUpdate":
        return [invalid("spec.updateStrategy", strategy, "must be 'RollingUpdate' or 'OnDelete'")]
    rolling = rolling or {}
    errors = non_negative(rolling, here, "partition")
    if "maxUnavailable" in rolling:
        at_once = count_or_percent(rolling["maxUnavailable"], f"{here}.maxUnavailable", at_most_all=True)
        if not at_once and is_zero(rolling["maxUnavailable"]):
            at_once = [invalid(f"{here}.maxUnavailable", rolling["maxUnavailable"], "cannot be 0")]
        errors += at_once
    return errors


class ControllerRevisionKind(Kind):
    """A ControllerRevision: what a template was, never to be changed."""

    def default(self, obj: Object) -> None:
        obj.setdefault("revision", 0)

    def validate(self, obj: Object) -> list[FieldError]:
        errors = [] if obj.get("data") is not None else [required("data", "data is mandatory")]
        return errors + non_negative(obj, "", "revision")

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        return immutable("data", new.get("data"), old.get("data"))
