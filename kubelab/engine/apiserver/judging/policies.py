"""All policies of a cluster: which of them a request concerns, and what they say."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.access import Authorizer
from kubelab.engine.apiserver.call import Call
from kubelab.engine.apiserver.catalogue import Catalogue
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.judging.asking import authorizer_of, functions_of
from kubelab.engine.apiserver.judging.deed import Deed
from kubelab.engine.apiserver.judging.expressions import Values
from kubelab.engine.apiserver.judging.matching import could_match, matches
from kubelab.engine.apiserver.judging.verdict import Fault, faults
from kubelab.engine.apiserver.status import StatusError, forbidden
from kubelab.engine.apiserver.storage import Store

log = logging.getLogger(__name__)

_CODES = {"Forbidden": 403, "Unauthorized": 401, "RequestEntityTooLarge": 413, "Invalid": 422}


class Hook(NamedTuple):
    """A policy that is bound, and for one kind of deed the resources by whose names it can be meant."""

    name: str
    spec: Object
    bindings: tuple[tuple[str, Object], ...]
    """Names and specs."""
    rtypes: tuple[r.ResourceType, ...]


class Policies:
    """Asked before every write. Where nothing is bound the answer costs nothing."""

    def __init__(self, store: Store, authorizer: Authorizer, catalogue: Callable[[], Catalogue]) -> None:
        self._authorizer = authorizer
        self._catalogue = catalogue
        self._policies = store.shelf(r.VALIDATINGADMISSIONPOLICIES.storage_key)
        self._bindings = store.shelf(r.VALIDATINGADMISSIONPOLICYBINDINGS.storage_key)
        self._namespaces = store.shelf(r.NAMESPACES.storage_key)
        self._hooks: dict[tuple[str, ...], tuple[Hook, ...]] = {}
        definitions = store.shelf(r.CUSTOMRESOURCEDEFINITIONS.storage_key)
        for shelf in (self._policies, self._bindings, definitions):
            shelf.listeners.append(lambda _: self._hooks.clear())

    def check(self, call: Call, new: Object | None, old: Object | None, operation: str = "") -> None:
        """Raises a Status when a policy denies it. ``new`` is None for a DELETE, ``old`` for a CREATE."""
        if not self._bindings.objects or call.own:
            return
        operation = operation or ("DELETE" if new is None else "CREATE" if old is None else "UPDATE")
        hooks = self._concerned(call.target.rtype, call.target.subresource, operation)
        if hooks:
            self._judge(Deed(call, operation, new, old), hooks)

    # -- which policies --------------------------------------------------------------------------

    def _concerned(self, rtype: r.ResourceType, subresource: str, operation: str) -> tuple[Hook, ...]:
        key = (rtype.storage_key, rtype.version, subresource, operation)
        found = self._hooks.get(key)
        if found is None:
            found = self._hooks[key] = tuple(self._read(rtype, subresource, operation))
        return found

    def _read(self, rtype: r.ResourceType, subresource: str, operation: str) -> list[Hook]:
        if rtype.group == r.ADMISSION_GROUP:
            return []  # else a policy could keep everybody from taking it away
        found = []
        for stored in self._policies.sorted():
            name, spec = stored.key[1], stored.obj["spec"]
            rtypes = self._meant_by(spec["matchConstraints"], rtype)
            bindings = tuple((one.key[1], one.obj["spec"]) for one in self._bindings.sorted()
                             if one.obj["spec"]["policyName"] == name)  # fmt: skip
            if bindings and could_match(spec["matchConstraints"]["resourceRules"], rtypes, subresource, operation):
                found.append(Hook(name, spec, bindings, rtypes))
        return found

    def _meant_by(self, resources: Object, rtype: r.ResourceType) -> tuple[r.ResourceType, ...]:
        """The resource, and with ``Equivalent`` those that are other views of the same objects."""
        if resources["matchPolicy"] == "Exact":
            return (rtype,)
        others = (one for one in self._catalogue().all if one is not rtype and one.storage_key == rtype.storage_key)
        return (rtype, *others)

    # -- what they say ---------------------------------------------------------------------------

    def _judge(self, deed: Deed, hooks: tuple[Hook, ...]) -> None:
        around = self._around(deed)
        labels = (around or {}).get("metadata", {}).get("labels") or {}
        denied: StatusError | None = None
        for hook in hooks:
            if not matches(hook.spec["matchConstraints"], deed, hook.rtypes, labels):
                continue
            found: list[Fault] | None = None
            for name, binding in hook.bindings:
                if not matches(binding.get("matchResources"), deed, hook.rtypes, labels):
                    continue
                if found is None:
                    found = faults(hook.spec, self._values(deed, hook.spec, around))
                for fault in found:
                    refused = _act(deed, hook.name, name, binding["validationActions"], fault)
                    denied = denied or refused
        if denied is not None:
            raise denied

    def _around(self, deed: Deed) -> Object | None:
        """The namespace that it happens in; of a namespace that is written, as it is to be."""
        if deed.rtype is r.NAMESPACES and not deed.subresource and deed.new is not None:
            return deed.new
        stored = self._namespaces.objects.get(("", deed.namespace))
        return stored.obj if stored else None

    def _values(self, deed: Deed, spec: Object, around: Object | None) -> Values:
        values: dict[str, Any] = {
            "object": deed.object,
            "oldObject": deed.old_object,
            "request": deed.request,
            "namespaceObject": around if deed.is_within else None,
            "authorizer": authorizer_of(deed.call.target, deed.name),
        }
        composed = {one["name"]: one["expression"] for one in spec.get("variables") or []}
        return Values(values, composed, functions_of(self._authorizer, deed.call.user))


def _act(deed: Deed, policy: str, binding: str, actions: list[str], fault: Fault) -> StatusError | None:
    """Do what the binding says of a fault; the refusal, if it is one."""
    whose = f"ValidatingAdmissionPolicy '{policy}' with binding '{binding}'"
    if "Warn" in actions:
        deed.call.warnings.append(f"Validation failed for {whose}: {fault.message}")
    if "Audit" in actions:
        log.info("audit: %s %s %s: %s: %s", deed.operation, deed.rtype.qualified, deed.name, whose, fault.message)
    if "Deny" not in actions:
        return None
    why = f"{whose} denied request: {fault.message}"
    refused = forbidden(deed.rtype, deed.name, why, [{"message": why}])
    return StatusError(_CODES[fault.reason], fault.reason, refused.message, refused.details)
