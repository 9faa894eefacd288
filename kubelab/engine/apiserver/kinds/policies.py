"""What bounds and ranks work: ResourceQuotas, LimitRanges, PriorityClasses and PodDisruptionBudgets."""

from __future__ import annotations

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.kinds.base import Kind, fill
from kubelab.engine.apiserver.validation.budget import budget_spec, budget_status
from kubelab.engine.apiserver.validation.fields import IMMUTABLE, FieldError, forbidden, immutable, invalid, one_of
from kubelab.engine.apiserver.validation.quota import amounts, limits, quota_spec

SYSTEM_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
"""The two that every cluster is born with."""
HIGHEST_PRIORITY = 1_000_000_000
"""Of those that people make."""


class ResourceQuotaKind(Kind):
    """A quota: ``status.hard`` and ``status.used`` are the quota controller's and the admission's."""

    def default(self, obj: Object) -> None:
        obj.setdefault("spec", {})

    def validate(self, obj: Object) -> list[FieldError]:
        status = obj.get("status") or {}
        errors = quota_spec(obj["spec"])
        for member in ("hard", "used"):
            errors += amounts(status.get(member) or {}, f"status.{member}")
        return errors

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        after, before = new["spec"].get("scopes") or [], old["spec"].get("scopes") or []
        return [] if set(after) == set(before) else [invalid("spec.scopes", after, IMMUTABLE)]


class LimitRangeKind(Kind):
    """A LimitRange: what it leaves out for containers follows from what it says."""

    def default(self, obj: Object) -> None:
        for item in obj.setdefault("spec", {}).get("limits") or []:
            if item.get("type") != "Container":
                continue
            ceiling = {**(item.get("max") or {}), **(item.get("default") or {})}
            floor = {**(item.get("min") or {}), **ceiling, **(item.get("defaultRequest") or {})}
            item.update({name: held for name, held in (("default", ceiling), ("defaultRequest", floor)) if held})

    def validate(self, obj: Object) -> list[FieldError]:
        return limits(obj["spec"].get("limits") or [])


class PriorityClassKind(Kind):
    """A PriorityClass: its value never changes, as pods carry it with them."""

    def default(self, obj: Object) -> None:
        obj.setdefault("value", 0)
        fill(obj, preemptionPolicy="PreemptLowerPriority")

    def prepare_create(self, obj: Object) -> None:
        obj["metadata"]["generation"] = 1

    def spec_changed(self, new: Object, old: Object) -> bool:
        return False

    def validate(self, obj: Object) -> list[FieldError]:
        name, value = obj["metadata"].get("name") or "", obj["value"]
        if name.startswith("system-"):
            errors = self._of_the_system(name, obj)
        elif value > HIGHEST_PRIORITY:
            why = f"maximum allowed value of a user defined priority is {HIGHEST_PRIORITY}"
            errors = [forbidden("value", why)]
        else:
            errors = []
        return errors + one_of("preemptionPolicy", obj["preemptionPolicy"], ("Never", "PreemptLowerPriority"))

    @staticmethod
    def _of_the_system(name: str, obj: Object) -> list[FieldError]:
        if SYSTEM_PRIORITIES.get(name) == obj["value"] and not obj.get("globalDefault"):
            return []
        why = "priority class names with 'system-' prefix are reserved for system use only. error: "
        if name not in SYSTEM_PRIORITIES:
            why += f"{name} is not a known system priority class"
        elif obj.get("globalDefault"):
            why += f"globalDefault of {name} must be false"
        else:
            why += f"value of {name} PriorityClass must be {SYSTEM_PRIORITIES[name]}"
        return [forbidden("metadata.name", why)]

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        errors = [] if new["value"] == old["value"] else [forbidden("value", "may not be changed in an update.")]
        return errors + immutable("preemptionPolicy", new["preemptionPolicy"], old["preemptionPolicy"])


class PodDisruptionBudgetKind(Kind):
    """A budget: its status is the disruption controller's and, at an eviction, the API server's."""

    def default(self, obj: Object) -> None:
        obj.setdefault("spec", {})

    def prepare_create(self, obj: Object) -> None:
        obj["status"] = dict.fromkeys(("currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"), 0)
        obj["metadata"]["generation"] = 1

    def validate(self, obj: Object) -> list[FieldError]:
        return budget_spec(obj["spec"]) + budget_status(obj.get("status") or {})
