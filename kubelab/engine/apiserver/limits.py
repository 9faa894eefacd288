"""The admission plugin LimitRanger: what a namespace's LimitRanges fill in, and what they refuse.

Source: https://kubernetes.io/docs/concepts/policy/limit-range/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.status import forbidden
from kubelab.engine.apiserver.storage import Stored
from kubelab.engine.quantity import value
from kubelab.engine.quota import pods
from kubelab.engine.quota.amounts import Amounts

ANNOTATION = "kubernetes.io/limit-ranger"

Item = dict[str, Any]


def fill_in(ranges: Iterable[Stored], pod: Object) -> None:
    """Give every container the requests and limits that it leaves out, and note in an annotation which they are."""
    for stored in ranges:
        limits: Amounts = {}
        requests: Amounts = {}
        for item in _items(stored, "Container"):
            limits |= item.get("default") or {}
            requests |= item.get("defaultRequest") or {}
        notes = []
        for member, word in (("containers", "container"), ("initContainers", "init container")):
            for container in pod["spec"].get(member) or []:
                notes += _fill_container(container, requests, limits, word)
        if notes:
            annotations = pod["metadata"].setdefault("annotations", {})
            annotations[ANNOTATION] = f"LimitRanger plugin set: {'; '.join(notes)}"


def _fill_container(container: Object, requests: Amounts, limits: Amounts, word: str) -> list[str]:
    resources = container.setdefault("resources", {})
    notes = []
    for member, defaults, what in (("requests", requests, "request"), ("limits", limits, "limit")):
        said = resources.get(member) or {}
        new = {name: amount for name, amount in defaults.items() if name not in said}
        if new:
            resources[member] = {**said, **new}
            notes.append(f"{', '.join(sorted(new))} {what} for {word} {container.get('name', '')}")
    return notes


def check(ranges: Iterable[Stored], pod: Object) -> None:
    """Raises a 403 Status for a pod that is outside the limits."""
    spec = pod["spec"]
    for stored in ranges:
        problems: list[str] = []
        for item in _items(stored, "Container"):
            for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
                said = container.get("resources") or {}
                problems += _outside(item, said.get("requests") or {}, said.get("limits") or {})
        for item in _items(stored, "Pod"):
            problems += _outside(item, pods.requests(pod), pods.limits(pod))
        if problems:
            unique = list(dict.fromkeys(problems))
            why = unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]"
            raise forbidden(r.PODS, pod["metadata"]["name"], why)


def _items(stored: Stored, kind: str) -> list[Item]:
    return [item for item in stored.obj["spec"].get("limits") or [] if item["type"] == kind]


def _outside(item: Item, requests: Amounts, limits: Amounts) -> list[str]:
    kind = item["type"]
    found = [_below(name, kind, least, requests, limits) for name, least in sorted((item.get("min") or {}).items())]
    found += [_above(name, kind, most, requests, limits) for name, most in sorted((item.get("max") or {}).items())]
    found += [
        _too_far_apart(name, kind, ratio, requests, limits)
        for name, ratio in sorted((item.get("maxLimitRequestRatio") or {}).items())
    ]
    return [problem for problem in found if problem]


def _below(name: str, kind: str, least: str, requests: Amounts, limits: Amounts) -> str:
    rule = f"minimum {name} usage per {kind} is {least}"
    if name not in requests:
        return f"{rule}.  No request is specified"
    if value(requests[name]) < value(least):
        return f"{rule}, but request is {requests[name]}"
    if name in limits and value(limits[name]) < value(least):
        return f"{rule}, but limit is {limits[name]}"
    return ""


def _above(name: str, kind: str, most: str, requests: Amounts, limits: Amounts) -> str:
    rule = f"maximum {name} usage per {kind} is {most}"
    if name not in limits:
        return f"{rule}.  No limit is specified"
    if value(limits[name]) > value(most):
        return f"{rule}, but limit is {limits[name]}"
    if name in requests and value(requests[name]) > value(most):
        return f"{rule}, but request is {requests[name]}"
    return ""


def _too_far_apart(name: str, kind: str, most: str, requests: Amounts, limits: Amounts) -> str:
    rule = f"{name} max limit to request ratio per {kind} is {most}, but"
    request, limit = value(requests.get(name, "0")), value(limits.get(name, "0"))
    if not request:
        return f"{rule} no request is specified or request is 0"
    if not limit:
        return f"{rule} no limit is specified or limit is 0"
    if limit > request * value(most):
        return f"{rule} provided ratio is {float(limit / request):f}"
    return ""
