"""Deleting: at once, gracefully (pods), or when the last finalizer is gone.

Sources: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination and
https://kubernetes.io/docs/concepts/architecture/garbage-collection/
"""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.admission import namespace_may_go
from kubelab.engine.apiserver.bodies import read_options
from kubelab.engine.apiserver.call import Call, dry_run_values
from kubelab.engine.apiserver.custom.definitions import FINALIZER
from kubelab.engine.apiserver.encoding import Object, copy, encode_object
from kubelab.engine.apiserver.registry import Registry
from kubelab.engine.apiserver.status import invalid, not_as_meant
from kubelab.engine.apiserver.storage import Stored
from kubelab.engine.apiserver.times import parse_time, rfc3339
from kubelab.engine.apiserver.validation.fields import FieldError
from kubelab.engine.apiserver.validation.fields import invalid as invalid_field

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
_POLICIES = {"Background": None, "Foreground": FOREGROUND, "Orphan": ORPHAN}
_SUPPORTED = 'supported values: "Foreground", "Background", "Orphan", "nil"'
_SCHEMA = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"


def delete_options(call: Call) -> Object:
    """DeleteOptions from the body, else from the query."""
    options = read_options(call, _SCHEMA)
    for name in ("propagationPolicy", "orphanDependents", "gracePeriodSeconds"):
        if name in call.query and name not in options:
            value: Any = call.query[name]
            if name == "orphanDependents":
                value = call.flag(name)
            options[name] = call.number(name) if name == "gracePeriodSeconds" else value
    check_delete(options)
    if options.get("dryRun"):
        call.keep_nothing()
    return options


def check_delete(options: Object) -> None:
    """Raises a 422 Status for what cannot be meant."""
    policy, errors = options.get("propagationPolicy"), dry_run_values(options.get("dryRun") or [])
    if policy is not None and options.get("orphanDependents") is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        errors.append(invalid_field("propagationPolicy", policy, why))
    if policy is not None and policy not in _POLICIES:
        errors.append(FieldError("FieldValueNotSupported", "propagationPolicy", policy, _SUPPORTED))
    if errors:
        raise invalid("DeleteOptions", "meta.k8s.io", "", errors)


def delete(registry: Registry, call: Call, old: Stored, options: Object) -> tuple[Stored, bool]:
    """Delete one object: how it looks now, and whether it is gone already."""
    check_preconditions(call, old, options)
    if call.target.rtype is r.NAMESPACES:
        return _delete_namespace(registry, call, old)
    obj = copy(old.obj)
    meta = obj["metadata"]
    if call.target.rtype is r.CUSTOMRESOURCEDEFINITIONS and "deletionTimestamp" not in meta:
        finalizers = meta.setdefault("finalizers", [])
        if FINALIZER not in finalizers:
            finalizers.append(FINALIZER)
    _set_propagation(meta, options)
    grace = _grace_seconds(call, old.obj, options)
    if grace == 0 and not meta.get("finalizers"):
        return registry.remove(call, old), True
    if "deletionTimestamp" in meta:
        _shorten(meta, grace, options)
        return _commit(registry, call, old, obj), False
    meta["deletionTimestamp"] = rfc3339(call.now + grace)
    meta["deletionGracePeriodSeconds"] = grace
    if "generation" in meta:
        meta["generation"] += 1
    return _commit(registry, call, old, obj), False


def _shorten(meta: Object, grace: int, options: Object) -> None:
    """Of what is being deleted already: who asks for less time than it has, counted from the first request, gets it."""
    was = meta.get("deletionGracePeriodSeconds", 0)
    if options.get("gracePeriodSeconds") is None or grace >= was:
        return
    meta["deletionTimestamp"] = rfc3339(parse_time(meta["deletionTimestamp"]) - was + grace)
    meta["deletionGracePeriodSeconds"] = grace


def _commit(registry: Registry, call: Call, old: Stored, obj: Object) -> Stored:
    if obj == old.obj:
        return old
    kind, api_version = obj["kind"], obj["apiVersion"]
    if call.dry_run:
        return Stored(old.key, old.revision, obj, encode_object(obj, kind, api_version))
    return registry.store.put(call.target.rtype.storage_key, old.key, obj, kind, api_version)


def check_preconditions(call: Call, old: Stored, options: Object) -> None:
    """Raises a 409 Status when the object is not the one that the client means."""
    asked = options.get("preconditions") or {}
    told = (
        ("uid", "UID", old.obj["metadata"]["uid"], "might have been deleted and then recreated"),
        ("resourceVersion", "ResourceVersion", str(old.revision), "might have been modified"),
    )
    for member, what, have, happened in told:
        want = asked.get(member)
        if want and want != have:
            text = f"the {what} in the precondition ({want}) does not match the {what} in record ({have})."
            raise not_as_meant(call.target.rtype, old.key[1], f"{text} The object {happened}")


def _grace_seconds(call: Call, obj: Object, options: Object) -> int:
    if call.target.rtype is not r.PODS:
        return 0
    asked = options.get("gracePeriodSeconds")
    grace = obj["spec"].get("terminationGracePeriodSeconds", 30) if asked is None else asked
    if not obj["spec"].get("nodeName") or (obj.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    return grace if grace >= 0 else 1


def _set_propagation(meta: Object, options: Object) -> None:
    policy = options.get("propagationPolicy")
    if policy is None and options.get("orphanDependents") is not None:
        policy = "Orphan" if options["orphanDependents"] else "Background"
    if policy is None:
        return
    wanted = _POLICIES[policy]
    finalizers = [name for name in meta.get("finalizers") or [] if name not in (FOREGROUND, ORPHAN)]
    if wanted:
        finalizers.append(wanted)
    if finalizers:
        meta["finalizers"] = finalizers
    else:
        meta.pop("finalizers", None)


def _delete_namespace(registry: Registry, call: Call, old: Stored) -> tuple[Stored, bool]:
    namespace_may_go(old.key[1])
    if not old.obj["spec"].get("finalizers") and not old.obj["metadata"].get("finalizers"):
        return registry.remove(call, old), True
    obj = copy(old.obj)
    obj["metadata"].setdefault("deletionTimestamp", call.timestamp)
    obj.setdefault("status", {})["phase"] = "Terminating"
    return _commit(registry, call, old, obj), False
