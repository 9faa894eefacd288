"""CustomResourceDefinitions: names, versions, and that their schemas are structural.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from __future__ import annotations

import re
from dataclasses import replace
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
from kubelab.engine.apiserver.validation.selectable import selectable_fields
from kubelab.engine.apiserver.validation.structural import structural_schema

_PROTECTED = (".k8s.io", ".kubernetes.io")
_API_APPROVED = "api-approved.kubernetes.io"
_NO_PATH = "must be a simple json path starting with ."
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_LONGEST_WARNING = 256
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")


def custom_resource_definition(obj: Object) -> list[FieldError]:
    """What is wrong with a definition."""
    spec = obj["spec"]
    group = spec.get("group", "")
    errors: list[FieldError] = []
    errors += _group(group, obj["metadata"].get("annotations") or {})
    errors += one_of("spec.scope", spec.get("scope"), ("Cluster", "Namespaced"))
    errors += _names(spec["names"])
    errors += _versions(spec)
    strategy = spec["conversion"].get("strategy")
    if strategy == "Webhook":
        errors.append(forbidden("spec.conversion.strategy", "conversion webhooks are not run here; use None"))
    elif strategy != "None":
        errors.append(not_supported("spec.conversion.strategy", strategy, ("None", "Webhook")))
    elif hook := spec["conversion"].get("webhook"):
        why = "should not be set when strategy is not set to Webhook"
        told = (("conversionReviewVersions", "conversionReviewVersions"), ("clientConfig", "webhookClientConfig"))
        errors += [forbidden(f"spec.conversion.{name}", why) for member, name in told if hook.get(member)]
    if spec.get("preserveUnknownFields"):
        why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        errors.append(invalid("spec.preserveUnknownFields", True, why))
    return errors


def named_like_its_objects(obj: Object) -> list[FieldError]:
    """A definition's name is its objects' plural and group."""
    spec, name = obj["spec"], obj["metadata"].get("name", "")
    if name == f"{spec['names'].get('plural', '')}.{spec.get('group', '')}":
        return []
    return [invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')]


def _group(group: str, annotations: dict[str, str]) -> list[FieldError]:
    if not group:
        return [required("spec.group")]
    errors = [invalid("spec.group", group, problem) for problem in names.dns1123_subdomain(group)]
    if not errors and "." not in group:
        errors.append(invalid("spec.group", group, "should be a domain with at least one dot"))
    is_protected = group in ("k8s.io", "kubernetes.io") or group.endswith(_PROTECTED)
    approval = annotations.get(_API_APPROVED, "")
    if is_protected and not (approval.startswith(("https://", "http://", "unapproved"))):
        how = ' with either a URL or a reason starting with "unapproved"' if approval else ""
        why = f'protected groups must have approval annotation "api-approved.kubernetes.io"{how}, see ' + (
            "https://github.com/kubernetes/enhancements/pull/1111")  # fmt: skip
        at = "metadata.annotations[api-approved.kubernetes.io]"
        errors.append(invalid(at, approval, why) if approval else required(at, why))
    return errors


def _names(given: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    for member in ("plural", "kind", "listKind"):
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
        why = "must have exactly one version marked as storage version"
        return [
            invalid("spec.versions", spec.get("versions"), why),
            invalid("status.storedVersions", None, "must have at least one stored version"),
        ]
    errors: list[FieldError] = []
    seen: set[str] = set()
    alike = all(_about_objects(version) == _about_objects(versions[0]) for version in versions)
    for index, version in enumerate(versions):
        at = f"spec.versions[{index}]"
        name = version.get("name", "")
        errors += [invalid(f"{at}.name", name, problem) for problem in names.dns1035_label(name)]
        if name in seen:
            errors.append(duplicate(f"{at}.name", name))
        seen.add(name)
        if not alike:
            errors += _version(version, at)
        elif index == 0:
            errors += _hoisted(_version(version, at), at)
    if sum(bool(version.get("storage")) for version in versions) != 1:
        why = "must have exactly one version marked as storage version"
        errors.append(invalid("spec.versions", [version.get("name", "") for version in versions], why))
    return errors


_HOISTED = {
    "schema": "validation",
    "additionalPrinterColumns": "additionalPrinterColumns",
    "subresources": "subresources",
    "selectableFields": "selectableFields",
}
"""What all versions have alike is of the whole definition to upstream's validation, and is named so."""


def _about_objects(version: Object) -> Object:
    return {name: version.get(name) for name in _HOISTED}


def _hoisted(errors: list[FieldError], at: str) -> list[FieldError]:
    """The errors of one version as if they were of the definition, where upstream finds them."""
    found: list[FieldError] = []
    for error in errors:
        member, rest = re.match(r"(\w*)(.*)", error.field.removeprefix(f"{at}."), re.DOTALL).groups()  # type: ignore[union-attr]
        is_there = member in _HOISTED and (member != "schema" or error.reason != "FieldValueRequired" or rest != _WHOLE)
        found.append(replace(error, field=f"spec.{_HOISTED[member]}{rest}") if is_there else error)
    return found


_WHOLE = ".openAPIV3Schema"


def _version(version: Object, at: str) -> list[FieldError]:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if schema is None:
        return [required(f"{at}.schema.openAPIV3Schema")]
    errors = structural_schema(schema, f"{at}.schema.openAPIV3Schema")
    if version.get("deprecationWarning") is not None:
        errors += _deprecation(version, f"{at}.deprecationWarning")
    errors += selectable_fields(version.get("selectableFields") or [], schema, f"{at}.selectableFields")
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        here = f"{at}.additionalPrinterColumns[{index}]"
        if not column.get("name"):
            errors.append(required(f"{here}.name"))
        if column.get("type") not in _COLUMN_TYPES:
            why, said = f"must be one of {','.join(_COLUMN_TYPES)}", column.get("type")
            errors.append(invalid(f"{here}.type", said, why) if said else required(f"{here}.type", why))
        if column.get("format") and column["format"] not in _COLUMN_FORMATS:
            why = f"must be one of {','.join(_COLUMN_FORMATS)}"
            errors.append(invalid(f"{here}.format", column["format"], why))
        if not column.get("jsonPath"):
            errors.append(required(f"{here}.JSONPath"))
        elif not column["jsonPath"].startswith("."):
            errors.append(invalid(f"{here}.JSONPath", column["jsonPath"], _NO_PATH))
    return errors + _scale((version.get("subresources") or {}).get("scale"), f"{at}.subresources.scale")


def _deprecation(version: Object, at: str) -> list[FieldError]:
    text = version["deprecationWarning"]
    if not version.get("deprecated"):
        return [invalid(at, text, "can only be set for deprecated versions")]
    if len(text) > _LONGEST_WARNING:
        return [invalid(at, text, f"must be <= {_LONGEST_WARNING} characters long")]
    return [] if text else [invalid(at, text, "must not be empty")]


def _scale(scale: Object | None, at: str) -> list[FieldError]:
    if scale is None:
        return []
    errors: list[FieldError] = []
    for member, root in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        path: Any = scale.get(member)
        if not path:
            errors.append(required(f"{at}.{member}"))
        elif not path.startswith("."):
            errors.append(invalid(f"{at}.{member}", path, _NO_PATH))
        elif not path.startswith(root):
            errors.append(invalid(f"{at}.{member}", path, f"should be a json path under {root[:-1]}"))
    selector = scale.get("labelSelectorPath")
    if selector and not selector.startswith((".spec.", ".status.")):
        why = "should be a json path under either .spec or .status"
        errors.append(invalid(f"{at}.labelSelectorPath", selector, why))
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
        errors += immutable("spec.names.kind", now["names"].get("kind", ""), was["names"]["kind"])
    errors += immutable("spec.names.plural", now["names"].get("plural"), was["names"]["plural"])
    there = {version.get("name") for version in now.get("versions") or ()}
    for index, name in enumerate((old.get("status") or {}).get("storedVersions") or ()):
        if name not in there:
            at = f"status.storedVersions[{index}]"
            errors.append(invalid(at, name, f"missing from spec.versions; {name} was previously a storage version, and "
                                  "must remain in spec.versions until a storage migration ensures no data remains "
                                  f"persisted in {name} and removes {name} from status.storedVersions"))  # fmt: skip
    return errors
