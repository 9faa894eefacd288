"""How many there are and should be: the autoscaling/v1 Scale of an object."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.apiserver.tables.cells import selector as selector_text

_BUILT_IN = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}


def scale_of(rtype: ResourceType, obj: Object) -> Object:
    """The Scale that stands for the object."""
    paths = _paths(rtype)
    meta = {
        name: obj["metadata"][name]
        for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        if name in obj["metadata"]
    }
    if rtype.custom:
        selector = _at(obj, paths["labelSelectorPath"]) if "labelSelectorPath" in paths else ""
    else:
        selector = selector_text(obj["spec"].get("selector"))
    status: Object = {"replicas": _at(obj, paths["statusReplicasPath"]) or 0}
    if selector:
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": meta,
        "spec": {"replicas": _at(obj, paths["specReplicasPath"]) or 0},
        "status": status,
    }


def set_replicas(rtype: ResourceType, obj: Object, replicas: int) -> None:
    """Write the wanted number where the kind keeps it."""
    *above, last = _paths(rtype)["specReplicasPath"].lstrip(".").split(".")
    for name in above:
        obj = obj.setdefault(name, {})
    obj[last] = replicas


def _paths(rtype: ResourceType) -> dict[str, str]:
    return (rtype.custom.scale if rtype.custom else None) or _BUILT_IN


def _at(obj: Any, path: str) -> Any:
    for name in path.lstrip(".").split("."):
        obj = obj.get(name) if isinstance(obj, dict) else None
    return obj
