"""The life of CustomResourceDefinitions: names accepted, established, served, and gone with all their objects.

Upstream's controllers do this a moment after a write; here it is done at the end of the request that made it
necessary (`settle`), so that who created a definition can use it at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from kubelab.engine.apiserver.catalogue import BUILT_IN, Catalogue
from kubelab.engine.apiserver.custom.version import resource_types
from kubelab.engine.apiserver.encoding import Object, copy
from kubelab.engine.apiserver.resources import CUSTOMRESOURCEDEFINITIONS as CRDS
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.apiserver.storage import Event, Store, Stored

FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
API_APPROVED = "api-approved.kubernetes.io"

Condition = tuple[str, str, str]
"""Status, reason, message."""


class Definitions:
    """Keeps the catalogue of served resources and the status of every definition in step with what is stored.

    ``delete`` takes a stored instance away as a DELETE would; ``hang_up`` ends the watches of a shelf. ``own``
    notes in an object (and beside it what it was) that its new status is the server's doing.
    """

    def __init__(
        self,
        store: Store,
        *,
        delete: Callable[[ResourceType, Stored], Any],
        hang_up: Callable[[str], None],
        timestamp: Callable[[], str],
        own: Callable[[Object, Object], None] = lambda obj, old: None,
    ) -> None:
        self.catalogue: Catalogue = BUILT_IN
        self._store = store
        self._delete = delete
        self._hang_up = hang_up
        self._timestamp = timestamp
        self._own = own
        self._served: dict[str, tuple[Object, tuple[ResourceType, ...]]] = {}
        self._dirty: set[str] = set()
        self._followed: set[str] = set()
        shelf = store.shelf(CRDS.storage_key)
        self._shelf = shelf
        shelf.listeners.append(lambda event: self._dirty.add(event.new.key[1]))
        self._dirty.update(name for _, name in shelf.objects)

    def settle(self) -> None:
        """Do what the latest writes call for; nothing, most of the time."""
        if not self._dirty:
            return
        changed = False
        while self._dirty:
            name = min(self._dirty)
            self._settle_one(name)
            changed |= self._serve(name)
            self._dirty.discard(name)
        if changed:
            added = [rtype for _, rtypes in self._served.values() for rtype in rtypes]
            self.catalogue = BUILT_IN.with_custom(added)

    def _settle_one(self, name: str) -> None:
        """Bring the status of a definition up to date, or bring it to its end."""
        stored = self._shelf.objects.get(("", name))
        while stored is not None:
            obj = copy(stored.obj)
            ended = self._settled(obj)
            if ended:
                self._store.remove(CRDS.storage_key, stored.key, obj, CRDS.kind, CRDS.api_version)
                self._wake_rivals(obj)
                return
            if obj == stored.obj:
                return
            self._own(obj, stored.obj)
            stored = self._store.put(CRDS.storage_key, stored.key, obj, CRDS.kind, CRDS.api_version)

    def _settled(self, obj: Object) -> bool:
        """Change ``obj`` to what its status should be; whether nothing keeps it any more."""
        meta, status = obj["metadata"], obj.setdefault("status", {})
        status.setdefault("conditions", [])
        if "deletionTimestamp" in meta:
            return self._cleaned(obj)
        self._accept_names(obj)
        self._note_versions(obj)
        if approved := (meta.get("annotations") or {}).get(API_APPROVED):
            words = ("ApprovedAnnotation", f"approved in {approved}") if "://" in approved else (
                "UnapprovedAnnotation", f'not approved: "{approved}"')  # fmt: skip
            ok = "True" if "://" in approved else "False"
            self._condition(status, "KubernetesAPIApprovalPolicyConformant", (ok, *words))
        return False

    # -- names -----------------------------------------------------------------------------------

    def _accept_names(self, obj: Object) -> None:
        spec, status = obj["spec"], obj["status"]
        wanted = spec["names"]
        conflict = self._conflict(obj)
        if conflict is None:
            status["acceptedNames"] = copy(wanted)
            self._condition(status, "NamesAccepted", ("True", "NoConflicts", "no conflicts found"))
            said: Condition = ("True", "InitialNamesAccepted", "the initial names have been accepted")
        else:
            status.setdefault("acceptedNames", {"plural": "", "kind": ""})
            self._condition(status, "NamesAccepted", ("False", *conflict))
            said = ("False", "NotAccepted", "not all names are accepted")
        if _status_of(status, "Established") != "True":
            self._condition(status, "Established", said)

    def _conflict(self, obj: Object) -> tuple[str, str] | None:
        """Why the names cannot be had, as reason and message."""
        names, group = obj["spec"]["names"], obj["spec"]["group"]
        mine = obj["metadata"]["name"]
        taken: set[str] = set()
        kinds: set[str] = set()
        for stored in self._shelf.objects.values():
            other = (stored.obj.get("status") or {}).get("acceptedNames") or {}
            if stored.key[1] != mine and stored.obj["spec"]["group"] == group and other.get("plural"):
                taken |= {other["plural"], other.get("singular", ""), *(other.get("shortNames") or ())}
                kinds |= {other["kind"], other.get("listKind", "")}
        for member, reason in (("plural", "PluralConflict"), ("singular", "SingularConflict")):
            if names[member] in taken:
                return reason, f'"{names[member]}" is already in use'
        for short in names.get("shortNames") or ():
            if short in taken:
                return "ShortNamesConflict", f'"{short}" is already in use'
        for member, reason in (("kind", "KindConflict"), ("listKind", "ListKindConflict")):
            if names[member] in kinds:
                return reason, f'"{names[member]}" is already in use'
        return None

    def _wake_rivals(self, gone: Object) -> None:
        group = gone["spec"]["group"]
        self._dirty.update(key[1] for key, one in self._shelf.objects.items() if one.obj["spec"]["group"] == group)

    def _note_versions(self, obj: Object) -> None:
        kept = obj["status"].setdefault("storedVersions", [])
        stored = next(version["name"] for version in obj["spec"]["versions"] if version["storage"])
        if stored not in kept:
            kept.append(stored)

    # -- the end ---------------------------------------------------------------------------------

    def _cleaned(self, obj: Object) -> bool:
        """Remove the instances; whether the definition itself is free to go."""
        meta, status = obj["metadata"], obj["status"]
        finalizers = meta.get("finalizers") or []
        if FINALIZER in finalizers:
            if self._instances_remain(obj):
                words = ("InstanceDeletionInProgress", "CustomResource deletion is in progress")
                self._condition(status, "Terminating", ("True", *words))
                return False
            words = ("InstanceDeletionCompleted", "removed all instances")
            self._condition(status, "Terminating", ("False", *words))
            finalizers = [name for name in finalizers if name != FINALIZER]
            meta["finalizers"] = finalizers
        if not finalizers:
            meta.pop("finalizers", None)
        return not finalizers

    def _instances_remain(self, obj: Object) -> bool:
        """Delete every instance; those with finalizers stay until these are gone."""
        if not obj["status"].get("acceptedNames", {}).get("plural"):
            return False
        rtype = next(resource_types(obj, unserved=True))
        shelf = self._store.shelf(rtype.storage_key)
        self._follow(rtype.storage_key, obj["metadata"]["name"])
        for stored in shelf.sorted():
            if "deletionTimestamp" not in stored.obj["metadata"]:
                self._delete(rtype, stored)
        return bool(shelf.objects)

    # -- serving ---------------------------------------------------------------------------------

    def _serve(self, name: str) -> bool:
        """Serve the definition as it is now; whether that is a change."""
        stored = self._shelf.objects.get(("", name))
        before = self._served.get(name)
        if stored is None or _status_of(stored.obj["status"], "Established") != "True":
            if before is None:
                return False
            del self._served[name]
            self._hang_up(before[1][0].storage_key if before[1] else "")
            return True
        facts = _facts(stored.obj)
        if before is not None and before[0] == facts:
            return False
        rtypes = tuple(resource_types(stored.obj))
        self._served[name] = (facts, rtypes)
        for rtype in rtypes[:1]:
            self._follow(rtype.storage_key, name)
            if before is not None:
                self._hang_up(rtype.storage_key)
        return True

    def _follow(self, shelf: str, name: str) -> None:
        """Look again when an instance goes: a definition that is going may have waited for it."""
        if shelf not in self._followed:
            self._followed.add(shelf)
            self._store.shelf(shelf).listeners.append(partial(self._instance_changed, name))

    def _instance_changed(self, name: str, event: Event) -> None:
        if event.type == "DELETED":
            stored = self._shelf.objects.get(("", name))
            if stored is not None and "deletionTimestamp" in stored.obj["metadata"]:
                self._dirty.add(name)

    def _condition(self, status: Object, kind: str, wanted: Condition) -> None:
        said = dict(zip(("status", "reason", "message"), wanted, strict=True))
        for condition in status["conditions"]:
            if condition["type"] == kind:
                if condition["status"] != said["status"]:
                    condition["lastTransitionTime"] = self._timestamp()
                condition.update(said)
                return
        status["conditions"].append({"type": kind, "lastTransitionTime": self._timestamp(), **said})


def _status_of(status: Object, kind: str) -> str:
    return next((one["status"] for one in status.get("conditions") or () if one["type"] == kind), "")


def _facts(obj: Object) -> Object:
    """What decides how a definition is served."""
    going = "deletionTimestamp" in obj["metadata"]
    return {"spec": obj["spec"], "names": obj["status"]["acceptedNames"], "going": going}
