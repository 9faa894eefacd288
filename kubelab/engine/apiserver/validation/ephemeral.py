"""What an ephemeral container may be (kubernetes.io: "Ephemeral Containers")."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.validation.fields import FieldError, forbidden, not_found

Spec = dict[str, Any]

_NOT_FOR_THEM = ("ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "restartPolicy")


def ephemeral_only(container: Spec, at: str, names: set[str]) -> list[FieldError]:
    """What an ephemeral container must not say; ``names`` are those of the pod's other containers."""
    errors = [
        forbidden(f"{at}.{member}", "cannot be set for an Ephemeral Container")
        for member in _NOT_FOR_THEM
        if container.get(member)
    ]
    if container.get("resources"):
        errors.append(forbidden(f"{at}.resources", "cannot be set for an Ephemeral Container"))
    errors += [
        forbidden(f"{at}.volumeMounts[{index}].{member}", "cannot be set for an Ephemeral Container")
        for index, mount in enumerate(container.get("volumeMounts") or [])
        for member in ("subPath", "subPathExpr")
        if mount.get(member)
    ]
    target = container.get("targetContainerName")
    if target and target not in names:
        errors.append(not_found(f"{at}.targetContainerName", target))
    return errors


def ephemeral_kept(new: Spec, old: Spec, at: str) -> list[FieldError]:
    """Those that are there can be neither changed nor taken away."""
    known = {each["name"]: each for each in new.get("ephemeralContainers") or []}
    errors = []
    for each in old.get("ephemeralContainers") or []:
        name = each["name"]
        if name not in known:
            errors.append(forbidden(at, f'existing ephemeral containers "{name}" may not be removed\n'))
        elif known[name] != each:
            errors.append(forbidden(at, f'existing ephemeral containers "{name}" may not be changed\n'))
    return errors
