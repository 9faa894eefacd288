"""Object metadata, and label selectors: what every kind shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import IMMUTABLE, FieldError, forbidden, invalid, required

NameRule = Callable[[str], list[str]]


_STANDARD_FINALIZERS = ("foregroundDeletion", "kubernetes", "orphan")


def object_meta(obj: Object, name_rule: NameRule) -> list[FieldError]:
    """The metadata of an object about to be stored."""
    meta = obj["metadata"]
    errors: list[FieldError] = []
    generate, name = meta.get("generateName"), meta.get("name")
    if generate:
        stem = generate[:-1] + "a" if generate.endswith("-") else generate
        errors += [invalid("metadata.generateName", generate, problem) for problem in name_rule(stem)]
    if not name:
        errors.append(required("metadata.name", "name or generateName is required"))
    else:
        errors += [invalid("metadata.name", name, problem) for problem in name_rule(name)]
    errors += names.labels(meta.get("labels"), "metadata.labels")
    errors += names.annotation_map(meta.get("annotations"), "metadata.annotations")
    errors += _owners(meta.get("ownerReferences") or [])
    return errors + _finalizers(meta.get("finalizers") or [])


def _finalizers(finalizers: list[str]) -> list[FieldError]:
    errors = [invalid("metadata.finalizers", each, why) for each in finalizers for why in names.qualified_name(each)]
    if "foregroundDeletion" in finalizers and "orphan" in finalizers:
        why = "finalizer orphan and foregroundDeletion cannot be both set"
        errors.append(invalid("metadata.finalizers", finalizers, why))
    return errors


def kube_finalizers(obj: Object) -> list[FieldError]:
    """Finalizers of Kubernetes' own kinds carry their owner's domain; custom kinds may call them anything."""
    why = "name is neither a standard finalizer name nor is it fully qualified"
    return [
        invalid(f"metadata.finalizers[{index}]", finalizer, why)
        for index, finalizer in enumerate(obj["metadata"].get("finalizers") or [])
        if "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS
    ]


def finalizer_warnings(obj: Object) -> list[str]:
    """What a custom resource is only warned of: it may call its finalizers anything, as no other kind may."""
    return [
        f'metadata.finalizers: "{finalizer}": prefer a domain-qualified finalizer name '
        f"{'including a path (/) ' if '.' in finalizer else ''}"
        "to avoid accidental conflicts with other finalizer writers"
        for finalizer in obj["metadata"].get("finalizers") or []
        if "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS
    ]


def _owners(owners: list[Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    controllers = []
    for owner in owners:
        api_version = owner.get("apiVersion", "")
        if not api_version.rpartition("/")[2] or api_version.count("/") > 1:
            errors.append(invalid("metadata.ownerReferences.apiVersion", api_version, "version must not be empty"))
        errors += [
            invalid(f"metadata.ownerReferences.{member}", "", "must not be empty")
            for member in ("kind", "name", "uid")
            if not owner.get(member)
        ]
        if (api_version, owner.get("kind")) == ("v1", "Event"):
            why = "/v1, Kind=Event is disallowed from being an owner"
            errors.append(invalid("metadata.ownerReferences", owner, why))
        if owner.get("controller"):
            controllers.append(owner)
    if len(controllers) > 1:
        first, second = controllers[0], controllers[1]
        errors.append(
            invalid(
                "metadata.ownerReferences",
                owners,
                'Only one reference can have Controller set to true. Found "true" in references for '
                f"{first['kind']}/{first['name']} and {second['kind']}/{second['name']}",
            )
        )
    return errors


def identity_kept(sent: Object, old: Object) -> list[FieldError]:
    """What an update says of who the object is, and that it is going: the server knows, and nobody else."""
    after, before = sent["metadata"], old["metadata"]
    uid, going = after.get("uid"), after.get("deletionTimestamp")
    errors: list[FieldError] = []
    if uid and uid != before["uid"]:
        errors.append(invalid("metadata.uid", uid, IMMUTABLE))
    if going and "deletionTimestamp" not in before:
        errors.append(invalid("metadata.deletionTimestamp", going, IMMUTABLE))
    return errors


def object_meta_update(new: Object, old: Object) -> list[FieldError]:
    """What may not change in metadata."""
    before, after = old["metadata"], new["metadata"]
    errors: list[FieldError] = []
    if before.get("deletionTimestamp"):
        added = [name for name in after.get("finalizers") or [] if name not in (before.get("finalizers") or [])]
        if added:
            shown = ", ".join(f'"{name}"' for name in added)
            why = "no new finalizers can be added if the object is being deleted, found new finalizers []string{%s}"
            errors.append(forbidden("metadata.finalizers", why % shown))
    return errors


def label_selector(selector: Any, field: str) -> list[FieldError]:
    """A ``LabelSelector`` object."""
    errors = names.labels(selector.get("matchLabels"), f"{field}.matchLabels")
    for index, term in enumerate(selector.get("matchExpressions") or []):
        where = f"{field}.matchExpressions[{index}]"
        operator, values = term.get("operator"), term.get("values") or []
        errors += names.all_of(f"{where}.key", term.get("key"), names.qualified_name(term.get("key", "")))
        if operator in ("In", "NotIn"):
            if not values:
                errors.append(required(f"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                errors.append(forbidden(f"{where}.values", why))
        else:
            errors.append(invalid(f"{where}.operator", operator or "", "not a valid selector operator"))
    return errors


def selector_matches(selector: Any, labels: dict[str, str]) -> bool:
    """Whether a ``LabelSelector`` object selects these labels."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for term in selector.get("matchExpressions") or []:
        key, values = term.get("key"), term.get("values") or []
        held = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }.get(term.get("operator"), False)
        if not held:
            return False
    return True
