"""CustomResourceDefinitions: their defaults, and what they may not change."""

from __future__ import annotations

from kubelab.engine.apiserver.custom.rules import unread_in_schema
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.kinds.base import Kind, fill, keep
from kubelab.engine.apiserver.validation.definition import (
    custom_resource_definition,
    definition_update,
    named_like_its_objects,
)
from kubelab.engine.apiserver.validation.fields import FieldError


class DefinitionKind(Kind):
    """A CustomResourceDefinition. Its status is made by `custom.definitions`."""

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        names = spec.setdefault("names", {})
        if kind := names.get("kind"):
            fill(names, singular=kind.lower(), listKind=f"{kind}List")
        fill(spec.setdefault("conversion", {}), strategy="None")
        if not spec.get("preserveUnknownFields"):
            spec.pop("preserveUnknownFields", None)

    def prepare_create(self, obj: Object) -> None:
        obj["metadata"]["generation"] = 1
        obj["status"] = {"conditions": [], "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": [
            version.get("name", "") for version in obj["spec"].get("versions") or () if version.get("storage")
        ]}  # fmt: skip

    def prepare_status(self, new: Object, old: Object) -> None:
        super().prepare_status(new, old)
        if "status" not in new:
            keep(new, old, "status")

    def warnings(self, obj: Object) -> list[str]:
        return [
            f"spec.versions[{index}]: {warning}"
            for index, version in enumerate(obj["spec"]["versions"])
            for warning in unread_in_schema(version["schema"]["openAPIV3Schema"])
        ]

    def validate(self, obj: Object) -> list[FieldError]:
        return custom_resource_definition(obj)

    def validate_create(self, obj: Object) -> list[FieldError]:
        return named_like_its_objects(obj)

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        return definition_update(new, old)
