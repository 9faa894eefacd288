"""CustomResourceDefinitions: names, versions, and that their schemas are structural.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import (
    FieldError,
    duplicate,
    forbidden,
    immutable,
    invalid,
    not_supported,
    one_of,
    required,
)
from kubelab.engine.apiserver.validation.structural import structural_schema

_PROTECTED = (".k8s.io", ".kubernetes.io")
_API_APPROVED = "api-approved.kubernetes.io"
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")


def custom_resource_definition(obj: Object) -> list[FieldError]:
    """What is wrong with a definition."""
    spec = obj["spec"]
    group, plural = spec.get("group", ""), spec["names"].get("plural", "")
    errors: list[FieldError] = []
    if plural and group and obj["metadata"].get("name") != f"{plural}.{group}":
        name = obj["metadata"].get("name", "")
        errors.append(invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
    errors += _group(group, obj["metadata"].get("annotations") or {})
    errors += one_of("spec.scope", spec.get("scope"), ("Cluster", "Namespaced"))
    errors += _names(spec["names"])
    errors += _versions(spec)
    strategy = spec["conversion"].get("strategy")
    if strategy == "Webhook":
        errors.append(forbidden("spec.conversion.strategy", "conversion webhooks are not run here; use None"))
    elif strategy != "None":
        errors.append(not_supported("spec.conversion.strategy", strategy, ("None", "Webhook")))
    if spec.get("preserveUnknownFields"):
        why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        errors.append(invalid("spec.preserveUnknownFields", True, why))
    return errors


def _group(group: str, annotations: dict[str, str]) -> list[FieldError]:
    if not group:
        return [required("spec.group")]
    errors = [invalid("spec.group", group, problem) for problem in names.dns1123_subdomain(group)]
    if not errors and "." not in group:
        errors.append(invalid("spec.group", group, "should be a domain with at least one dot"))
    is_protected = group in ("k8s.io", "kubernetes.io") or group.endswith(_PROTECTED)
    approval = annotations.get(_API_APPROVED, "")
    if is_protected and not (approval.startswith(("https://", "http://", "unapproved"))):
        why = "protected groups must have approval annotation \"api-approved.kubernetes.io\", see " + (
            "https://github.com/kubernetes/enhancements/pull/1111")  # fmt: skip
        at = "metadata.annotations[api-approved.kubernetes.io]"
        errors.append(invalid(at, approval, why) if approval else required(at, why))
    return errors


def _names(given: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    for member in ("plural", "kind"):
        if not given.get(member):
            errors.append(required(f"spec.names.{member}"))
    for member in ("plural", "singular"):
        errors += names.all_of(f"spec.names.{member}", given.get(member), names.dns1035_label(given.get(member) or "a"))
    for member in ("kind", "listKind"):
        if value := given.get(member):
            problems = names.dns1035_label(value.lower())
            errors += [
                invalid(f"spec.names.{member}", value, f"may have mixed case, but should otherwise match: {problem}")
                for problem in problems
            ]
    for member in ("shortNames", "categories"):
        for index, value in enumerate(given.get(member) or ()):
            errors += [invalid(f"spec.names.{member}[{index}]", value, why) for why in names.dns1035_label(value)]
    if given.get("kind") and given.get("listKind") == given["kind"]:
        errors.append(invalid("spec.names.listKind", given["listKind"], "kind and listKind may not be the same"))
    return errors


def _versions(spec: Object) -> list[FieldError]:
    versions = spec.get("versions") or []
    if not versions:
        return [required("spec.versions", "must have exactly one version marked as storage version")]
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, version in enumerate(versions):
        at = f"spec.versions[{index}]"
        name = version.get("name", "")
        errors += [invalid(f"{at}.name", name, problem) for problem in names.dns1035_label(name)]
        if name in seen:
            errors.append(duplicate(f"{at}.name", name))
        seen.add(name)
        errors += _version(version, at)
    if sum(bool(version.get("storage")) for version in versions) != 1:
        why = "must have exactly one version marked as storage version"
        errors.append(invalid("spec.versions", [version.get("name", "") for version in versions], why))
    return errors


def _version(version: Object, at: str) -> list[FieldError]:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if schema is None:
        return [required(f"{at}.schema.openAPIV3Schema", "schemas are required")]
    errors = structural_schema(schema, f"{at}.schema.openAPIV3Schema")
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        here = f"{at}.additionalPrinterColumns[{index}]"
        if not column.get("name"):
            errors.append(required(f"{here}.name"))
        errors += one_of(f"{here}.type", column.get("type"), _COLUMN_TYPES)
        if not column.get("jsonPath"):
            errors.append(required(f"{here}.jsonPath"))
        elif not column["jsonPath"].startswith("."):
            why = 'must be a non-root path starting with a dot: "."'
            errors.append(invalid(f"{here}.jsonPath", column["jsonPath"], why))
    return errors + _scale((version.get("subresources") or {}).get("scale"), f"{at}.subresources.scale")


def _scale(scale: Object | None, at: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for member, root in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")) if scale else ():
        path: Any = (scale or {}).get(member)
        if not path:
            errors.append(required(f"{at}.{member}"))
        elif not path.startswith(root):
            errors.append(invalid(f"{at}.{member}", path, f"should be a json path under {root[:-1]}"))
    return errors


def definition_update(new: Object, old: Object) -> list[FieldError]:
    """What a definition may not change."""
    now, was = new["spec"], old["spec"]
    errors = immutable("spec.group", now.get("group"), was["group"])
    established = any(
        one["type"] == "Established" and one["status"] == "True"
        for one in (old.get("status") or {}).get("conditions") or ()
    )
    if established:
        errors += immutable("spec.scope", now.get("scope"), was["scope"])
        errors += immutable("spec.names.kind", now["names"].get("kind"), was["names"]["kind"])
    errors += immutable("spec.names.plural", now["names"].get("plural"), was["names"]["plural"])
    there = {version.get("name") for version in now.get("versions") or ()}
    for index, name in enumerate((old.get("status") or {}).get("storedVersions") or ()):
        if name not in there:
            at = f"status.storedVersions[{index}]"
            errors.append(invalid(at, name, f"missing from spec.versions; {name} was previously a storage version, and "
                                  "must remain in spec.versions until a storage migration ensures no data remains "
                                  f"persisted in {name} and removes {name} from status.storedVersions"))  # fmt: skip
    return errors
