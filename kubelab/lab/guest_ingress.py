"""A guest's Ingresses, Gateways and HTTPRoutes: on hosts of the guest's own, on a controller that others use too.

A rule without host and a default backend ask for what *nobody* names, and on a shared controller that is everybody's.
No Ingress can say "all hosts below mine": its ``*`` stands for one label. So these become rules for the hosts that the
Ingress names, and for those that lessons ask for without naming them; what was written is kept in an annotation, and is
what the lesson reads.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kubelab.lab.hosts import Hosts

Object = dict[str, Any]

AS_WRITTEN = "kubelab.dev/as-written"
"""The annotation with the spec of an Ingress that was confined."""
_UNNAMED = ("example.test", "*.example.test", "*.invalid", "*.thing", "*.test", "*.north.museum.test")
"""What lessons ask for and no rule of theirs names."""
_GROUPS = ("/apis/networking.k8s.io/", "/apis/gateway.networking.k8s.io/")


def concerns(path: str) -> bool:
    """Whether objects at this path of the API have hosts in them."""
    return path.startswith(_GROUPS)


def there(body: Object, hosts: Hosts) -> Object:
    """An object as the lesson writes it, for the cluster. Raises `LabError` for a host that is too long."""
    spec = body.get("spec")
    if not hosts.own or not isinstance(spec, dict):
        return body
    made = copy.deepcopy(body)
    if body.get("kind") == "Ingress" and _is_open(spec):
        annotations = made["metadata"].get("annotations") or {}
        made["metadata"]["annotations"] = {**annotations, AS_WRITTEN: json.dumps(spec)}
        made["spec"] = _confined(made["spec"])
    _rename(made["spec"], hosts)
    return made


def as_written(found: Object) -> Object:
    """An object from the cluster, or a list of them, as the lesson wrote it; its hosts are the lesson's already."""
    if isinstance(found.get("items"), list):
        return {**found, "items": [as_written(each) for each in found["items"]]}
    annotations = (found.get("metadata") or {}).get("annotations") or {}
    if AS_WRITTEN not in annotations:
        return found
    left = {key: value for key, value in annotations.items() if key != AS_WRITTEN}
    spec = json.loads(annotations[AS_WRITTEN])
    if said := found["spec"].get("ingressClassName"):  # the API server fills in a default class
        spec["ingressClassName"] = said
    return {**found, "metadata": {**found["metadata"], "annotations": left}, "spec": spec}


def _is_open(spec: Mapping[str, Any]) -> bool:
    """Whether an Ingress asks for hosts that it does not name. (Gateways have addresses of their own.)"""
    rules = spec.get("rules")
    return "defaultBackend" in spec or (isinstance(rules, list) and any(not rule.get("host") for rule in rules))


def _confined(spec: Object) -> Object:
    """The spec of an Ingress in which every rule has a host, and that answers for the lesson's hosts as it did."""
    rest = [path for rule in spec.get("rules") or () if not rule.get("host") for path in _paths(rule)]
    named = [rule for rule in spec.get("rules") or () if rule.get("host")]
    default = spec.pop("defaultBackend", None)
    if default is not None:
        fallback = {"path": "/", "pathType": "Prefix", "backend": default}
        closed = {rule["host"] for rule in named if any(map(_takes_all, _paths(rule)))}
        for rule in named:
            if rule["host"] not in closed:
                closed.add(rule["host"])
                rule["http"] = {"paths": [*_paths(rule), fallback]}
        if not any(map(_takes_all, rest)):
            rest.append(fallback)
    taken = {rule["host"] for rule in named}
    others = [host for host in dict.fromkeys(_around(sorted(taken))) if host not in taken]
    spec["rules"] = [*named, *({"host": host, "http": {"paths": rest}} for host in others)]
    return spec


def _around(taken: Iterable[str]) -> Iterator[str]:
    """Hosts that a client may mistake for those that are named: their neighbours, and what is below them."""
    for host in taken:
        if not host.startswith("*."):
            yield f"*.{host}"
            if host.count(".") > 1:
                yield f"*.{host.partition('.')[2]}"
    yield from _UNNAMED


def _takes_all(path: Mapping[str, Any]) -> bool:
    return path.get("pathType") == "Prefix" and path.get("path") in (None, "", "/")


def _paths(rule: Mapping[str, Any]) -> list[Object]:
    return list((rule.get("http") or {}).get("paths") or ())


def _rename(spec: Any, hosts: Hosts) -> None:
    """Every host in the spec of an Ingress, a Gateway or an HTTPRoute, wherever it stands."""
    if isinstance(spec, list):
        for each in spec:
            _rename(each, hosts)
    if not isinstance(spec, dict):
        return
    for key, value in spec.items():
        if key in ("host", "hostname") and isinstance(value, str):
            spec[key] = hosts.there(value)
        elif key in ("hosts", "hostnames") and isinstance(value, list):
            spec[key] = [hosts.there(each) if isinstance(each, str) else each for each in value]
        else:
            _rename(value, hosts)
