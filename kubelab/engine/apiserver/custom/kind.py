"""The behaviour of a custom resource, read from its definition."""

from __future__ import annotations

from kubelab.engine.apiserver.custom.checking import errors_of
from kubelab.engine.apiserver.custom.defaults import fill_defaults
from kubelab.engine.apiserver.custom.pruning import pruned
from kubelab.engine.apiserver.custom.version import CustomVersion
from kubelab.engine.apiserver.encoding import Object, copy
from kubelab.engine.apiserver.kinds.base import Kind
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.apiserver.validation.fields import FieldError


class CustomKind(Kind):
    """One version of a custom resource."""

    def __init__(self, rtype: ResourceType) -> None:
        super().__init__(rtype)
        assert rtype.custom is not None
        self._version: CustomVersion = rtype.custom

    def default(self, obj: Object) -> None:
        fill_defaults(obj, self._version.schema)

    def prepare_create(self, obj: Object) -> None:
        if self.has_status:
            obj.pop("status", None)
        obj["metadata"]["generation"] = 1

    def prepare_status(self, new: Object, old: Object) -> None:
        status = new.get("status")
        new.clear()
        new.update(copy(old))
        new.pop("status", None)
        if status is not None:
            new["status"] = status

    def spec_changed(self, new: Object, old: Object) -> bool:
        apart = ("apiVersion", "metadata", "status") if self.has_status else ("apiVersion", "metadata")
        return _without(new, apart) != _without(old, apart)

    def validate(self, obj: Object) -> list[FieldError]:
        return errors_of(obj, self._version.schema)

    def to_view(self, obj: Object) -> Object:
        view = pruned(obj, self._version.schema, [])
        view["apiVersion"] = self.rtype.api_version
        view = copy(view)
        fill_defaults(view, self._version.schema)
        return view

    def from_view(self, obj: Object) -> Object:
        return {**obj, "apiVersion": self._version.stored}


def _without(obj: Object, members: tuple[str, ...]) -> Object:
    return {name: value for name, value in obj.items() if name not in members}
