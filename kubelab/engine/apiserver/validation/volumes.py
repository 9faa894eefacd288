"""The rules of a pod's volumes, and of where its containers see them.

Source: https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/volume/
"""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import (
    FieldError,
    duplicate,
    forbidden,
    invalid,
    not_found,
    not_supported,
    required,
)

Spec = dict[str, Any]

_HOST_PATHS = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
_WITH_FILES = {"configMap": "name", "secret": "secretName", "downwardAPI": None}
"""Volumes made of items, and the member that says whose they are."""


def volumes(listed: list[Spec], at: str) -> tuple[set[str], list[FieldError]]:
    """The names of the volumes, and everything wrong with them."""
    seen: set[str] = set()
    errors: list[FieldError] = []
    for index, volume in enumerate(listed):
        here, name = f"{at}[{index}]", volume.get("name", "")
        errors += names.all_of(f"{here}.name", name, names.dns1123_label(name))
        if name in seen:
            errors.append(duplicate(f"{here}.name", name))
        seen.add(name)
        sources = [member for member in volume if member != "name"]
        errors += [forbidden(f"{here}.{extra}", "may not specify more than 1 volume type") for extra in sources[1:]]
        for kind, named in _WITH_FILES.items():
            if kind in volume:
                errors += _files(volume[kind], f"{here}.{kind}", named)
        if "hostPath" in volume:
            errors += _host_path(volume["hostPath"], f"{here}.hostPath")
    return seen, errors


def _files(source: Spec, at: str, named: str | None) -> list[FieldError]:
    errors = [required(f"{at}.{named}")] if named and not source.get(named) else []
    errors += _mode(source.get("defaultMode"), f"{at}.defaultMode")
    for index, item in enumerate(source.get("items") or []):
        here = f"{at}.items[{index}]"
        if named and not item.get("key"):
            errors.append(required(f"{here}.key"))
        path = item.get("path") or ""
        errors += [required(f"{here}.path")] if not path else _descending(path, f"{here}.path")
        if path.startswith("..") and path.split("/")[0] != "..":
            errors.append(invalid(f"{here}.path", path, "must not start with '..'"))
        errors += _mode(item.get("mode"), f"{here}.mode")
    return errors


def _mode(mode: int | None, at: str) -> list[FieldError]:
    if mode is None or 0 <= mode <= 0o777:
        return []
    return [invalid(at, mode, "must be a number between 0 and 0777 (octal), both inclusive")]


def _host_path(source: Spec, at: str) -> list[FieldError]:
    path, kind = source.get("path") or "", source.get("type") or ""
    errors = [] if path else [required(f"{at}.path")]
    if ".." in path.split("/"):
        errors.append(invalid(f"{at}.path", path, "must not contain '..'"))
    if kind not in _HOST_PATHS:
        errors.append(not_supported(f"{at}.type", kind, _HOST_PATHS))
    return errors


def _descending(path: str, at: str) -> list[FieldError]:
    errors = [invalid(at, path, "must be a relative path")] if path.startswith("/") else []
    return errors + ([invalid(at, path, "must not contain '..'")] if ".." in path.split("/") else [])


def mounts(listed: list[Spec], at: str, known: set[str]) -> list[FieldError]:
    """Everything wrong with the mounts of a container whose pod has the ``known`` volumes."""
    errors: list[FieldError] = []
    paths: set[str] = set()
    for index, mount in enumerate(listed):
        here, name, path = f"{at}[{index}]", mount.get("name"), mount.get("mountPath")
        if not name:
            errors.append(required(f"{here}.name"))
        elif name not in known:
            errors.append(not_found(f"{here}.name", name))
        if not path:
            errors.append(required(f"{here}.mountPath"))
        elif path in paths:
            errors.append(invalid(f"{here}.mountPath", path, "must be unique"))
        if ":" in (path or ""):
            errors.append(invalid(f"{here}.mountPath", path, "must not contain ':'"))
        paths.add(path or "")
        for member in ("subPath", "subPathExpr"):
            errors += _descending(mount.get(member) or "", f"{here}.{member}")
        if mount.get("subPath") and mount.get("subPathExpr"):
            why = "subPathExpr and subPath are mutually exclusive"
            errors.append(invalid(f"{here}.subPathExpr", mount["subPathExpr"], why))
    return errors
