"""Which ConfigMaps and Secrets a pod names."""

from __future__ import annotations

from collections.abc import Iterator

from kubelab.engine.client import Object
from kubelab.engine.node.sources import Reference

_KINDS = {"configMap": "ConfigMap", "secret": "Secret"}


def references_of(pod: Object) -> set[Reference]:
    """Those in volumes and in the containers' environments."""
    namespace = pod["metadata"]["namespace"]
    return {Reference(kind, namespace, name) for kind, name in _named(pod["spec"]) if name}


def _named(spec: Object) -> Iterator[tuple[str, str]]:
    for volume in spec.get("volumes") or ():
        for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            for member, kind in _KINDS.items():
                if member in source:
                    yield kind, source[member].get("name") or source[member].get("secretName") or ""
    for part in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(part) or ():
            for variable in container.get("env") or ():
                yield from _of_env(variable.get("valueFrom") or {}, "KeyRef")
            for source in container.get("envFrom") or ():
                yield from _of_env(source, "Ref")


def _of_env(source: Object, suffix: str) -> Iterator[tuple[str, str]]:
    for member, kind in _KINDS.items():
        if member + suffix in source:
            yield kind, source[member + suffix].get("name", "")
