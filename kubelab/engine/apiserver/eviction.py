"""Evicting a pod: deleting it, if the budget of disruptions that it falls under allows one more.

The check and its entry in the budget's status are one step: of two evictions for the last disruption one is refused.
Source: https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
"""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.call import Call
from kubelab.engine.apiserver.deletion import check_delete, check_preconditions, delete
from kubelab.engine.apiserver.encoding import Object, copy
from kubelab.engine.apiserver.registry import Registry
from kubelab.engine.apiserver.status import StatusError, bad_request, forbidden
from kubelab.engine.apiserver.storage import ByNamespace, Stored
from kubelab.engine.apiserver.validation.metadata import selector_matches

MOST_UNCONFIRMED = 2000
"""Evictions that the disruption controller has not yet seen; more are not let through."""
_NOT_NOW = "Cannot evict pod as it would violate the pod's disruption budget."
_SEVERAL = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."


class Evictions:
    """Evicts by the budgets of all namespaces."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._budgets = ByNamespace(registry.store.shelf(r.PODDISRUPTIONBUDGETS.storage_key))

    def evict(self, call: Call, pod: Stored, eviction: Object) -> None:
        """Delete the pod. Raises a Status: 429 when its budget does not allow that now."""
        named = (eviction.get("metadata") or {}).get("name")
        if named != call.target.name:
            raise bad_request("name in URL does not match name in Eviction object")
        options = eviction.get("deleteOptions") or {}
        check_delete(options)
        if options.get("dryRun"):
            call.keep_nothing()
        check_preconditions(call, pod, options)
        if _is_protected(pod.obj):
            budgets = [one for one in self._budgets.of(pod.key[0]) if _covers(one.obj, pod.obj)]
            if len(budgets) > 1:
                raise StatusError(500, "", _SEVERAL)
            if budgets and not _may_go_unhealthy(budgets[0].obj, pod.obj):
                self._take_one(call, budgets[0], pod.key[1])
        if not call.dry_run:
            pod = self._mark(call, pod)
        delete(self._registry, call, pod, {**options, "preconditions": None})

    def _take_one(self, call: Call, budget: Stored, pod_name: str) -> None:
        name, status = budget.key[1], budget.obj.get("status") or {}
        _check(name, budget.obj["metadata"].get("generation", 0), status)
        new = copy(budget.obj)
        status = new["status"]
        status["disruptionsAllowed"] -= 1
        if status["disruptionsAllowed"] == 0:
            _note_exhausted(status, call.timestamp)
        status.setdefault("disruptedPods", {})[pod_name] = call.timestamp
        if not call.dry_run:
            rtype = r.PODDISRUPTIONBUDGETS
            self._registry.store.put(rtype.storage_key, budget.key, new, rtype.kind, rtype.api_version)

    def _mark(self, call: Call, pod: Stored) -> Stored:
        """Say in the pod's status why it goes (KEP-3329)."""
        new = copy(pod.obj)
        reason, message = "EvictionByEvictionAPI", "Eviction API: evicting"
        set_condition(new.setdefault("status", {}), "DisruptionTarget", "True", reason, call.timestamp, message=message)
        return self._registry.store.put(r.PODS.storage_key, pod.key, new, r.PODS.kind, r.PODS.api_version)


def _is_protected(pod: Object) -> bool:
    """Whether budgets are asked at all: not for what has ended, has not begun or is going already."""
    phase = (pod.get("status") or {}).get("phase")
    return phase not in ("Succeeded", "Failed", "Pending") and "deletionTimestamp" not in pod["metadata"]


def _covers(budget: Object, pod: Object) -> bool:
    selector = budget["spec"].get("selector")
    return selector is not None and selector_matches(selector, pod["metadata"].get("labels") or {})


def _may_go_unhealthy(budget: Object, pod: Object) -> bool:
    """A pod that is not ready is not counted on: it may go when enough others are, or always (KEP-3017)."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    if any(one["type"] == "Ready" and one["status"] == "True" for one in conditions):
        return False
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status") or {}
    return status.get("currentHealthy", 0) >= status.get("desiredHealthy", 0) > 0


def _check(name: str, generation: int, status: dict[str, Any]) -> None:
    if status.get("observedGeneration", 0) < generation:
        raise _too_many(f"The disruption budget {name} is still being processed by the server.", 10)
    allowed = status.get("disruptionsAllowed", 0)
    if allowed < 0:
        raise forbidden(r.PODDISRUPTIONBUDGETS, name, "pdb disruptions allowed is negative")
    if len(status.get("disruptedPods") or {}) > MOST_UNCONFIRMED:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise forbidden(r.PODDISRUPTIONBUDGETS, name, why)
    if allowed == 0:
        raise _too_many(_why_none(name, status), 0)


def _why_none(name: str, status: dict[str, Any]) -> str:
    failed = next((one for one in status.get("conditions") or [] if one.get("reason") == "SyncFailed"), None)
    if failed is not None:
        why = "does not allow evicting pods currently because it failed sync"
        return f"The disruption budget {name} {why}: {failed.get('message', '')}"
    needed, there = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
    return f"The disruption budget {name} needs {needed} healthy pods and has {there} currently"


def _too_many(cause: str, retry_seconds: int) -> StatusError:
    details: dict[str, Any] = {"causes": [{"reason": "DisruptionBudget", "message": cause}]}
    if retry_seconds:
        details["retryAfterSeconds"] = retry_seconds
    return StatusError(429, "TooManyRequests", _NOT_NOW, details)


def _note_exhausted(status: dict[str, Any], timestamp: str) -> None:
    observed = status.get("observedGeneration", 0)
    set_condition(status, "DisruptionAllowed", "False", "InsufficientPods", timestamp, observed=observed)


def set_condition(
    status: dict[str, Any], kind: str, truth: str, reason: str, timestamp: str, *, message: str = "", observed: int = 0
) -> None:
    """Write one condition; its time changes only with its truth."""
    conditions = status.setdefault("conditions", [])
    known = next((one for one in conditions if one["type"] == kind), None)
    if known is None:
        known = {"type": kind}
        conditions.append(known)
    if known.get("status") != truth:
        known["lastTransitionTime"] = timestamp
    known.update(status=truth, reason=reason, message=message)
    if observed:
        known["observedGeneration"] = observed
