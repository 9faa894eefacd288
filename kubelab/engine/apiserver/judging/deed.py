"""What a policy judges: one write, or one connection into an object."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.call import Call
from kubelab.engine.apiserver.custom import cel
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.scale import scale_of

_OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}


@dataclass(frozen=True)
class Deed:
    """``new`` is the object as it is to be stored (None: a DELETE), ``old`` what it takes the place of."""

    call: Call
    operation: str
    new: Object | None
    old: Object | None

    @property
    def rtype(self) -> r.ResourceType:
        """The resource."""
        return self.call.target.rtype

    @property
    def subresource(self) -> str:
        """Below the object, or nothing."""
        return self.call.target.subresource

    @cached_property
    def name(self) -> str:
        """The object's."""
        said = ((self.new or self.old or {}).get("metadata") or {}).get("name")
        return self.call.target.name or said or ""

    @property
    def namespace(self) -> str:
        """Where it happens; a namespace is within itself."""
        return self.name if self.rtype is r.NAMESPACES else self.call.target.namespace or self._namespace_of_object

    @property
    def _namespace_of_object(self) -> str:
        """Of a collection in all namespaces, each object says itself where it is."""
        return ((self.old or {}).get("metadata") or {}).get("namespace") or ""

    @property
    def is_within(self) -> bool:
        """Whether there is a namespace around it."""
        return bool(self.namespace) and self.rtype is not r.NAMESPACES

    @cached_property
    def object(self) -> Any:
        """``object`` as expressions see it."""
        return cel.value(self._seen(self.new), {})

    @cached_property
    def old_object(self) -> Any:
        """``oldObject`` as expressions see it."""
        return cel.value(self._seen(self.old), {})

    def _seen(self, obj: Object | None) -> Object | None:
        return scale_of(self.rtype, obj) if obj and self.subresource == "scale" else obj

    @cached_property
    def request(self) -> Object:
        """``request`` as expressions see it: an AdmissionRequest without its objects; what is empty is left out."""
        rtype, sub = self.rtype, self.rtype.subresource(self.subresource)
        group, version, kind = (sub and sub.kind) or (rtype.group, rtype.version, rtype.kind)
        of_kind = {"group": group, "version": version, "kind": kind}
        resource = {"group": rtype.group, "version": rtype.version, "resource": rtype.plural}
        options: Object = {"apiVersion": "meta.k8s.io/v1", "kind": _OPTIONS.get(self.operation, "")}
        if manager := self.call.query.get("fieldManager"):
            options["fieldManager"] = manager
        asked = {
            "subResource": self.subresource,
            "requestSubResource": self.subresource,
            "name": self.name,
            "namespace": self.namespace,
            "options": options if self.operation in _OPTIONS else None,
        }
        return {
            "kind": of_kind,
            "resource": resource,
            "requestKind": of_kind,
            "requestResource": resource,
            "operation": self.operation,
            "userInfo": self.call.user.info(),
            "dryRun": self.call.dry_run,
            **{member: value for member, value in asked.items() if value},
        }
