"""Create, change and delete objects: the one path that every write takes.

Nothing here awaits: from reading the stored object to committing its successor no other request runs, so
optimistic concurrency never has to try again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import Any

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.addresses import ServiceAddresses
from kubelab.engine.apiserver.admission import admit_ingress, admit_pod, namespace_accepts, random_suffix
from kubelab.engine.apiserver.allocation import ServiceAllocations
from kubelab.engine.apiserver.call import Call
from kubelab.engine.apiserver.charging import Quotas
from kubelab.engine.apiserver.decode import missing
from kubelab.engine.apiserver.encoding import Object, encode_object, same
from kubelab.engine.apiserver.kinds import kind_of
from kubelab.engine.apiserver.kinds.base import Kind
from kubelab.engine.apiserver.kinds.service import ServiceKind
from kubelab.engine.apiserver.limits import check as check_limits
from kubelab.engine.apiserver.limits import fill_in
from kubelab.engine.apiserver.ownership import tracked
from kubelab.engine.apiserver.priorities import admit_class
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.apiserver.status import (
    already_exists,
    bad_request,
    conflict,
    failed,
    invalid,
    method_not_allowed,
    not_found,
)
from kubelab.engine.apiserver.storage import ByNamespace, Key, Store, Stored, Write
from kubelab.engine.apiserver.validation.fields import FieldError, required
from kubelab.engine.apiserver.validation.fields import invalid as invalid_field
from kubelab.engine.apiserver.validation.metadata import identity_kept, kube_finalizers, object_meta, object_meta_update

Prepare = Callable[[Object, Object], None]
Check = Callable[[Call, Object, Object | None], None]
"""Asked with an object that is about to be written and the one in whose place it comes; raises a Status."""
Judge = Callable[[Call, Object | None, Object | None], None]
"""Like a `Check`, at the end and of deletions too: the new object is None then."""

_SERVER_OWNED = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation",
                 "selfLink")  # fmt: skip


_CHANGED_AS_READ = (r.CUSTOMRESOURCEDEFINITIONS, r.LEASES, r.PODDISRUPTIONBUDGETS, r.VALIDATINGADMISSIONPOLICIES,
                    r.VALIDATINGADMISSIONPOLICYBINDINGS)  # fmt: skip
"""Who changes one of these, or a custom resource, says which version they have read."""


class Registry:
    """Writes to the store, by Kubernetes' rules."""

    def __init__(self, store: Store, guard: Check, judge: Judge) -> None:
        self.store = store
        self.judge = judge
        self._guard = guard
        self._allocations = ServiceAllocations(
            store.shelf(r.SERVICES.storage_key), store.shelf(r.IPADDRESSES.storage_key)
        )
        self.addresses = ServiceAddresses(store)
        self._limits = ByNamespace(store.shelf(r.LIMITRANGES.storage_key))
        self._quotas = Quotas(ByNamespace(store.shelf(r.RESOURCEQUOTAS.storage_key)))

    def get(self, rtype: ResourceType, namespace: str, name: str) -> Stored:
        """The object. Raises 404."""
        stored = self.store.get(rtype.storage_key, (namespace, name))
        if stored is None:
            raise not_found(rtype, name)
        return stored

    # -- create ----------------------------------------------------------------------------------

    def create(self, call: Call, obj: Object) -> Stored:
        """Store a new object, which belongs to the registry from now on."""
        rtype, kind = call.target.rtype, kind_of(call.target.rtype)
        if rtype.custom and rtype.custom.terminating:
            raise method_not_allowed(rtype, "create not allowed while custom resource definition is terminating")
        self._name_new(call, obj)
        meta = obj["metadata"]
        key = (meta.get("namespace", ""), meta.get("name", ""))
        obj = kind.from_view(obj)
        kind.default(obj)
        for member in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"):
            meta.pop(member, None)
        sent = {name: value for name, value in obj.items() if name != "status"} if kind.has_status else obj
        _own(meta, tracked(call, None, sent))
        if rtype.namespaced:
            namespace_accepts(self.store, rtype, *key)
        self._guard(call, obj, None)
        if rtype is r.PODS:
            fill_in(self._limits.of(key[0]), obj)
            admit_pod(self.store, obj)
        elif rtype is r.INGRESSES:
            admit_ingress(self.store, obj)
        elif rtype is r.PRIORITYCLASSES:
            admit_class(self.store, obj)
        meta["uid"] = str(uuid.uuid4())
        meta["creationTimestamp"] = call.timestamp
        kind.prepare_create(obj)
        self._check(rtype, obj, _metadata(rtype, obj, kind) + kind.validate(obj) + kind.validate_create(obj))
        if rtype is r.PODS:
            check_limits(self._limits.of(key[0]), obj)
        self.judge(call, obj, None)
        along = self._quotas.charge(rtype, obj, call.now)
        if (meta.pop("resourceVersion", None) or "0").lstrip("0").isdigit():
            raise failed("resourceVersion should not be set on objects to be created")
        if there := self.store.get(rtype.storage_key, key):
            raise already_exists(rtype, key[1], going="deletionTimestamp" in there.obj["metadata"])
        self._allocate(rtype, obj, key)
        call.warnings += kind.warnings(obj)
        if rtype is r.SERVICES:
            along += self.addresses.changes(None, obj, call.now)
        return self._commit(call, key, obj, along)

    def _name_new(self, call: Call, obj: Object) -> None:
        rtype, meta = call.target.rtype, obj["metadata"]
        if rtype.namespaced:
            namespace = call.target.namespace
            if not namespace:
                raise bad_request("an empty namespace may not be set during creation")
            if meta.get("namespace", namespace) not in (namespace, ""):
                raise bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
            meta["namespace"] = namespace
        else:
            meta.pop("namespace", None)
        if not meta.get("name") and meta.get("generateName"):
            stem = meta["generateName"][:58]
            meta["name"] = stem + random_suffix()
            while self.store.get(rtype.storage_key, (meta.get("namespace", ""), meta["name"])):
                meta["name"] = stem + random_suffix()

    # -- change ----------------------------------------------------------------------------------

    def replace(self, call: Call, old: Stored, new: Object, prepare: Prepare | None = None) -> Stored:
        """Put ``new`` in place of ``old``. ``prepare`` is what this path may change (default: all but the status)."""
        rtype, kind = call.target.rtype, kind_of(call.target.rtype)
        self._check_versions(call, new, old)
        new = kind.from_view(new)
        kind.default(new)
        (prepare or kind.prepare_update)(new, old.obj)
        managed_fields = tracked(call, old.obj, new)
        errors = identity_kept(new, old.obj) * 2  # upstream looks twice: for all kinds, and for each
        self._keep_metadata(new, old.obj)
        _own(new["metadata"], managed_fields)
        self._guard(call, new, old.obj)
        if rtype.generation and kind.spec_changed(new, old.obj):
            new["metadata"]["generation"] = old.obj["metadata"].get("generation", 0) + 1
        errors += object_meta_update(new, old.obj) * 2 + _metadata(rtype, new, kind)
        errors += kind.validate_replacement(new, old.obj, status=prepare is not None)
        self._check(rtype, new, errors)
        self.judge(call, new, old.obj)
        if prepare is None:
            call.warnings += kind.warnings(new)
        if rtype is r.PRIORITYCLASSES:
            admit_class(self.store, new)
        along = self._quotas.charge(rtype, new, call.now, old.obj)
        self._allocate(rtype, new, old.key)
        if rtype is r.SERVICES:
            along += self.addresses.changes(old.obj, new, call.now)
        new["metadata"]["resourceVersion"] = old.obj["metadata"]["resourceVersion"]
        if same(new, old.obj):
            return old
        if self._was_last_finalizer(new):
            gone = self.remove(call, old)
            new["metadata"]["resourceVersion"] = gone.obj["metadata"]["resourceVersion"]
            return Stored(old.key, gone.revision, new, encode_object(new, new["kind"], new["apiVersion"]))
        return self._commit(call, old.key, new, along)

    def _check_versions(self, call: Call, new: Object, old: Stored) -> None:
        rtype, meta, name = call.target.rtype, new["metadata"], old.key[1]
        version = meta.get("resourceVersion")
        if version in (None, "", "0"):
            if rtype.custom or rtype in _CHANGED_AS_READ:
                error = invalid_field("metadata.resourceVersion", 0, "must be specified for an update")
                raise invalid(rtype.plural, rtype.group, name, [error])
        elif not version.isascii() or not version.isdigit():
            raise failed(f'strconv.ParseUint: parsing "{version}": invalid syntax')
        elif version != str(old.revision):
            raise conflict(rtype, name)
        uid, was = meta.get("uid"), old.obj["metadata"]["uid"]
        if uid and uid != was and call.request.method == "PUT":
            raise conflict(rtype, name, f"Precondition failed: UID in precondition: {uid}, UID in object meta: {was}")

    @staticmethod
    def _keep_metadata(new: Object, old: Object) -> None:
        meta, was = new["metadata"], old["metadata"]
        for member in _SERVER_OWNED:
            if member in was:
                meta[member] = was[member]
            else:
                meta.pop(member, None)
        meta["name"] = was["name"]
        if "namespace" in was:
            meta["namespace"] = was["namespace"]

    @staticmethod
    def _was_last_finalizer(new: Object) -> bool:
        meta = new["metadata"]
        if not meta.get("deletionTimestamp") or meta.get("finalizers"):
            return False
        if new["kind"] == "Namespace":
            return not new["spec"].get("finalizers")
        return meta.get("deletionGracePeriodSeconds", 0) == 0

    # -- commit ----------------------------------------------------------------------------------

    def _check(self, rtype: ResourceType, obj: Object, errors: list[FieldError]) -> None:
        known = {error.field for error in errors}
        if not rtype.stored_as and rtype is not r.CUSTOMRESOURCEDEFINITIONS:  # which names fields in its own way
            for path in missing(rtype.shape, obj):
                if not any(field == path or field.startswith((f"{path}.", f"{path}[")) for field in known):
                    errors.append(required(path))
        if errors:
            name = obj["metadata"].get("name", "")
            raise invalid(rtype.kind, rtype.group, name, errors)

    def _allocate(self, rtype: ResourceType, obj: Object, key: Key) -> None:
        kind = kind_of(rtype)
        if isinstance(kind, ServiceKind):
            errors = kind.allocate(obj, self._allocations, key)
            if errors:
                raise invalid(rtype.kind, rtype.group, key[1], errors)

    def _commit(self, call: Call, key: Key, obj: Object, along: Iterable[Write] = ()) -> Stored:
        """``along``: what is stored with it, or not at all."""
        kind, api_version = obj["kind"], obj["apiVersion"]
        if call.dry_run:
            return Stored(key, self.store.revision, obj, encode_object(obj, kind, api_version))
        return self.store.commit(Write(call.target.rtype.storage_key, key, obj, kind, api_version), *along)

    def remove(self, call: Call, old: Stored, last: Object | None = None) -> Stored:
        """Take an object out of the store; ``last`` is how its DELETED event shows it."""
        shown: dict[str, Any] = dict(last or old.obj)
        shown["metadata"] = dict(shown["metadata"])
        if call.dry_run:
            return old
        rtype = call.target.rtype
        along = self.addresses.changes(old.obj, None, call.now) if rtype is r.SERVICES else ()
        gone = Write(rtype.storage_key, old.key, shown, shown["kind"], shown["apiVersion"], gone=True)
        return self.store.commit(gone, *along)


def _metadata(rtype: ResourceType, obj: Object, kind: Kind) -> list[FieldError]:
    return object_meta(obj, kind.name_rule) + ([] if rtype.custom else kube_finalizers(obj))


def _own(meta: Object, managed_fields: list[Object] | None) -> None:
    meta.pop("managedFields", None)
    if managed_fields:
        meta["managedFields"] = managed_fields
