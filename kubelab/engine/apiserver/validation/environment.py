"""The rules of a container's environment variables.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#environment-variables
"""

from __future__ import annotations

import re
from typing import Any

from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import FieldError, invalid, not_supported, required

Spec = dict[str, Any]

_FIELDS = ("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
           "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs")  # fmt: skip
_KNOWN = frozenset({*_FIELDS, "metadata.annotations", "metadata.labels", "spec.restartPolicy", "spec.schedulerName",
                    "status.phase"})  # fmt: skip
_SUBSCRIPT = re.compile(r"metadata\.(annotations|labels)\['(?P<key>[^']*)'\]")
_AMOUNTS = tuple(f"{side}.{name}" for side in ("limits", "requests") for name in ("cpu", "ephemeral-storage", "memory"))
_SOURCES = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
_ONE = "may not have more than one field specified at a time"


def variables(listed: list[Spec], at: str) -> list[FieldError]:
    """Everything wrong with ``env``."""
    errors: list[FieldError] = []
    for index, variable in enumerate(listed):
        here, name = f"{at}[{index}]", variable.get("name", "")
        errors += names.all_of(f"{here}.name", name, names.env_name(name))
        source = variable.get("valueFrom")
        if source is None:
            continue
        here = f"{here}.valueFrom"
        if variable.get("value"):
            errors.append(invalid(here, "", "may not be specified when `value` is not empty"))
        if len(source) != 1:
            errors.append(invalid(here, "", _ONE if source else _SOURCES))
        for kind in ("configMapKeyRef", "secretKeyRef"):
            if kind in source and not source[kind].get("key"):
                errors.append(required(f"{here}.{kind}.key"))
        if "fieldRef" in source:
            errors += _field(source["fieldRef"].get("fieldPath") or "", f"{here}.fieldRef.fieldPath")
        if "resourceFieldRef" in source:
            errors += _amount(source["resourceFieldRef"].get("resource") or "", f"{here}.resourceFieldRef.resource")
    return errors


def _field(path: str, at: str) -> list[FieldError]:
    if not path:
        return [required(at)]
    if subscript := _SUBSCRIPT.fullmatch(path):
        return [invalid(at, path, problem) for problem in names.qualified_name(subscript["key"].lower())]
    if path not in _KNOWN:
        return [invalid(at, path, f"error converting fieldPath: field label not supported: {path}")]
    return [] if path in _FIELDS else [not_supported(at, path, _FIELDS)]


def _amount(resource: str, at: str) -> list[FieldError]:
    if not resource:
        return [required(at)]
    if resource in _AMOUNTS or resource.startswith(("limits.hugepages-", "requests.hugepages-")):
        return []
    return [not_supported(at, resource, _AMOUNTS)]


def sources(listed: list[Spec], at: str) -> list[FieldError]:
    """Everything wrong with ``envFrom``."""
    errors: list[FieldError] = []
    for index, source in enumerate(listed):
        here, prefix = f"{at}[{index}]", source.get("prefix")
        if prefix:
            errors += [invalid(f"{here}.prefix", prefix, problem) for problem in names.env_name(prefix)]
        given = [kind for kind in ("configMapRef", "secretRef") if source.get(kind) is not None]
        errors += [required(f"{here}.{kind}.name") for kind in given if not source[kind].get("name")]
        if len(given) != 1:
            errors.append(invalid(here, "", _ONE if given else "must specify one of: `configMapRef` or `secretRef`"))
    return errors
