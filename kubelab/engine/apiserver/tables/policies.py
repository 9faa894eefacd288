"""The columns of quotas, limits, priorities, disruption budgets and network policies."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.tables import cells as c
from kubelab.engine.apiserver.tables.cells import AGE, NAME, Column, TableOf


def _resource_quota(obj: Object, now: float) -> list[Any]:
    status = obj.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    shown: dict[bool, list[str]] = {True: [], False: []}
    for name in sorted(hard):
        shown["limits" in name].append(f"{name}: {used.get(name, '0')}/{hard[name]}")
    return [obj["metadata"]["name"], ", ".join(shown[False]), ", ".join(shown[True]), c.age(obj, now)]


def _disruption_budget(obj: Object, now: float) -> list[Any]:
    spec = obj["spec"]
    return [
        obj["metadata"]["name"],
        str(spec.get("minAvailable", "N/A")),
        str(spec.get("maxUnavailable", "N/A")),
        (obj.get("status") or {}).get("disruptionsAllowed", 0),
        c.age(obj, now),
    ]


def _priority_class(obj: Object, now: float) -> list[Any]:
    name, standard = obj["metadata"]["name"], bool(obj.get("globalDefault"))
    return [name, obj["value"], standard, c.age(obj, now), obj.get("preemptionPolicy", "")]


def _admission_policy(obj: Object, now: float) -> list[Any]:
    name, checks = obj["metadata"]["name"], len(obj["spec"].get("validations") or ())
    return [name, checks, _UNSET, c.age(obj, now)]


_UNSET = "<unset>"
"""Parameters: there are none here."""

POLICY_TABLES: dict[str, TableOf] = {
    "ResourceQuota": TableOf(
        (
            NAME,
            Column("Request", description="What is used and allowed, besides what pods may use at most."),
            Column("Limit", description="What pods may use at most together, and how much of it is given out."),
            AGE,
        ),
        _resource_quota,
    ),
    "LimitRange": TableOf(
        (NAME, Column("Created At", description="When it was created.")),
        lambda obj, now: [obj["metadata"]["name"], obj["metadata"]["creationTimestamp"]],
    ),
    "PodDisruptionBudget": TableOf(
        (
            NAME,
            Column("Min Available", description="The minimum number of pods that must be available."),
            Column("Max Unavailable", description="The maximum number of pods that may be unavailable."),
            Column("Allowed Disruptions", "integer", description="How many of its pods can be evicted now."),
            AGE,
        ),
        _disruption_budget,
    ),
    "PriorityClass": TableOf(
        (
            NAME,
            Column("Value", "integer", description="The priority that its pods get; higher goes first."),
            Column("Global-Default", "boolean", description="Whether pods get it that name no class."),
            AGE,
            Column("PreemptionPolicy", description="Whether its pods may take the place of others."),
        ),
        _priority_class,
    ),
    "NetworkPolicy": TableOf(
        (NAME, Column("Pod-Selector", description="Selects the pods to which the policy applies."), AGE),
        lambda obj, now: [obj["metadata"]["name"], c.selector(obj["spec"].get("podSelector")), c.age(obj, now)],
    ),
    "ValidatingAdmissionPolicy": TableOf(
        (
            NAME,
            Column("Validations", "integer", description="How many rules the policy has."),
            Column("ParamKind", description="The kind of the objects that hold its parameters."),
            AGE,
        ),
        _admission_policy,
    ),
    "ValidatingAdmissionPolicyBinding": TableOf(
        (
            NAME,
            Column("PolicyName", description="The policy that is bound."),
            Column("ParamRef", description="The object that holds the policy's parameters."),
            AGE,
        ),
        lambda obj, now: [obj["metadata"]["name"], obj["spec"]["policyName"], _UNSET, c.age(obj, now)],
    ),
}
