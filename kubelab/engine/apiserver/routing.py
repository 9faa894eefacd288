"""From a URL to what is meant by it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from kubelab.engine.apiserver.catalogue import BUILT_IN, Catalogue
from kubelab.engine.apiserver.resources import ResourceType

PROXY = "proxy"


@dataclass(frozen=True)
class Target:
    """What a resource URL points at. No ``name``: the collection; no ``namespace``: all namespaces."""

    rtype: ResourceType
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    path: str = ""
    """What stands behind a proxy subresource, unescaped, without slashes around it."""


def parse(path: str, catalogue: Catalogue = BUILT_IN) -> Target | None:
    """The target of a path below /api or /apis, or None when the path does not name a resource."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    served = catalogue.by_path
    if rest[0] == "namespaces" and len(rest) > 2 and (rtype := served.get((group, version, rest[2]))):
        return _target(rtype, rest[1], rest[3:]) if rtype.namespaced else None
    found = served.get((group, version, rest[0]))
    if found is None or (found.namespaced and len(rest) > 1):
        return None
    return _target(found, "", rest[1:])


def _target(rtype: ResourceType, namespace: str, rest: list[str]) -> Target | None:
    name, subresource, *beyond = [*rest, "", ""] if len(rest) < 2 else rest
    if subresource == PROXY and rtype.subresource(PROXY):
        return Target(rtype, namespace, name, subresource, "/".join(beyond))
    if any(beyond) or (subresource and rtype.subresource(subresource) is None):
        return None
    return Target(rtype, namespace, name, subresource)
