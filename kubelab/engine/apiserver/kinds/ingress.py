"""Ingresses, and the classes that say which controller serves them.

Source: https://kubernetes.io/docs/concepts/services-networking/ingress/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.kinds.base import Kind, fill
from kubelab.engine.apiserver.validation.fields import FieldError, immutable, invalid
from kubelab.engine.apiserver.validation.ingress import ingress_class_spec, ingress_spec, load_balancer_status

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
"""How Ingresses named their class before 1.18; deprecated."""


class IngressKind(Kind):
    """An Ingress. Its rules have no defaults: upstream fills in nothing but the structs that Go always writes."""

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        for backend in _backends(spec):
            if backend.get("service") is not None:
                backend["service"].setdefault("port", {})
        obj.setdefault("status", {}).setdefault("loadBalancer", {})

    def prepare_create(self, obj: Object) -> None:
        obj["status"] = {"loadBalancer": {}}
        obj["metadata"]["generation"] = 1

    def validate(self, obj: Object) -> list[FieldError]:
        return ingress_spec(obj["spec"]) + load_balancer_status(obj["status"])

    def validate_create(self, obj: Object) -> list[FieldError]:
        named, said = obj["spec"].get("ingressClassName"), _annotation(obj)
        if named is None or said is None or named == said:
            return []
        why = "must match `ingressClassName` when both are specified"
        return [invalid(f"annotations.{CLASS_ANNOTATION}", said, why)]

    def warnings(self, obj: Object) -> list[str]:
        if _annotation(obj) is None or "ingressClassName" in obj["spec"]:
            return []
        return [f"annotation \"{CLASS_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead"]


def _annotation(obj: Object) -> str | None:
    return (obj["metadata"].get("annotations") or {}).get(CLASS_ANNOTATION)


def _backends(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "defaultBackend" in spec:
        yield spec["defaultBackend"]
    for rule in spec.get("rules") or []:
        for path in (rule.get("http") or {}).get("paths") or []:
            yield path.setdefault("backend", {})


class IngressClassKind(Kind):
    """An IngressClass: the controller can never be another one."""

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        if spec.get("parameters") is not None and "scope" not in spec["parameters"]:
            fill(spec["parameters"], scope="Cluster")

    def prepare_create(self, obj: Object) -> None:
        obj["metadata"]["generation"] = 1

    def validate(self, obj: Object) -> list[FieldError]:
        return ingress_class_spec(obj["spec"])

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        return immutable("spec.controller", new["spec"].get("controller", ""), old["spec"].get("controller", ""))
