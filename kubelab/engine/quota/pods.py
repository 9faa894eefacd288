"""What a pod uses of a quota, and to which quotas it belongs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from kubelab.engine.quota.amounts import Amounts, larger, plus

Object = dict[str, Any]

_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_MUST_BE_SAID = frozenset({"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"})


def is_counted(name: str) -> bool:
    """Whether pods are counted under this name of a quota."""
    bare = name.removeprefix("requests.").removeprefix("limits.")
    if name in ("count/pods", "pods") or bare in _COMPUTE:
        return True
    return name.startswith(("hugepages-", "requests.hugepages-")) or (name.startswith("requests.") and "/" in name)


def usage(pod: Object, now: datetime) -> Amounts:
    """What it uses. One that has ended, or should have by now, uses only a place in the store."""
    if _has_ended(pod, now):
        return {"count/pods": "1"}
    return {"count/pods": "1", "pods": "1", **_by_quota_name(requests(pod), limits(pod))}


def requests(pod: Object) -> Amounts:
    """What it asks for: its containers together, or its largest step of initialisation if that is more."""
    return _of_pod(pod, "requests")


def limits(pod: Object) -> Amounts:
    """What it may use at most, counted like `requests`."""
    return _of_pod(pod, "limits")


def unspecified(pod: Object, names: Iterable[str]) -> str:
    """What a quota with these names demands of every container and this pod does not say; empty when it says all.

    ``must specify limits.cpu for: app; requests.memory for: app,sidecar``
    """
    missing: dict[str, set[str]] = {}
    spec = pod["spec"]
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        said = container.get("resources") or {}
        for name in _MUST_BE_SAID.intersection(names) - set(
            _by_quota_name(said.get("requests") or {}, said.get("limits") or {})
        ):
            missing.setdefault(name, set()).add(container["name"])
    listed = [f"{name} for: {','.join(sorted(missing[name]))}" for name in sorted(missing)]
    return f"must specify {'; '.join(listed)}" if listed else ""


def in_scope(pod: Object, requirement: Object) -> bool:
    """Whether the pod satisfies one requirement of a quota's scopes."""
    scope = requirement["scopeName"]
    if scope == "PriorityClass":
        return _matches_priority(pod["spec"].get("priorityClassName") or "", requirement)
    test = _SCOPES.get(scope)
    return test is not None and test(pod)


def _of_pod(pod: Object, member: str) -> Amounts:
    """Init containers that keep running count with the containers and with every later step (KEP-753)."""
    spec = pod["spec"]
    running: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("initContainers") or ():
        asked = _said(container, member)
        peak = larger(peak, plus(running, asked))
        if container.get("restartPolicy") == "Always":
            running = plus(running, asked)
    for container in spec.get("containers") or ():
        running = plus(running, _said(container, member))
    found = {**larger(running, peak), **_said(spec, member)}  # what is said of the whole pod goes first (KEP-2837)
    overhead = spec.get("overhead") or {}
    if member == "limits":
        overhead = {name: amount for name, amount in overhead.items() if name in found}
    return plus(found, overhead)


def _said(holder: Object, member: str) -> Amounts:
    return (holder.get("resources") or {}).get(member) or {}


def _by_quota_name(asked: Amounts, allowed: Amounts) -> Amounts:
    found: Amounts = {}
    for name, amount in asked.items():
        if name in _COMPUTE or name.startswith("hugepages-"):
            found[name] = amount
        found[f"requests.{name}"] = amount
    found.update({f"limits.{name}": amount for name, amount in allowed.items() if name in _COMPUTE})
    return found


def _has_ended(pod: Object, now: datetime) -> bool:
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    until = pod["metadata"].get("deletionTimestamp")
    return bool(until) and now > datetime.fromisoformat(until.replace("Z", "+00:00"))


def _is_best_effort(pod: Object) -> bool:
    spec = pod["spec"]
    for holder in (spec, *(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        said = {**_said(holder, "requests"), **_said(holder, "limits")}
        if any(name in said and said[name] != "0" for name in ("cpu", "memory")):
            return False
    return True


def _is_terminating(pod: Object) -> bool:
    """Of a quota's scope: one that may run only for so long."""
    return pod["spec"].get("activeDeadlineSeconds") is not None


def _asks_across_namespaces(pod: Object) -> bool:
    affinity = pod["spec"].get("affinity") or {}
    for member in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(member) or {}
        terms = [
            *(rules.get("requiredDuringSchedulingIgnoredDuringExecution") or ()),
            *(
                one.get("podAffinityTerm") or {}
                for one in rules.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
            ),
        ]
        if any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms):
            return True
    return False


def _matches_priority(name: str, requirement: Object) -> bool:
    values = requirement.get("values") or []
    return {
        "Exists": bool(name),
        "DoesNotExist": not name,
        "In": bool(name) and name in values,
        "NotIn": name not in values,
    }[requirement["operator"]]


_SCOPES: dict[str, Callable[[Object], bool]] = {
    "Terminating": _is_terminating,
    "NotTerminating": lambda pod: not _is_terminating(pod),
    "BestEffort": _is_best_effort,
    "NotBestEffort": lambda pod: not _is_best_effort(pod),
    "CrossNamespacePodAffinity": _asks_across_namespaces,
}
