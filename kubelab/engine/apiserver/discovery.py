"""What the API has to offer: /api, /apis, one list a group version, and all of it at once (aggregated)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from kubelab.engine.apiserver.catalogue import Catalogue
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.resources import ResourceType

AGGREGATED = "apidiscovery.k8s.io"
_SCOPES = {True: "Namespaced", False: "Cluster"}


def of_group_version(catalogue: Catalogue, group: str, version: str) -> tuple[ResourceType, ...]:
    """The resources of a group version, by name."""
    found = (one for one in catalogue.all if (one.group, one.version) == (group, version))
    return tuple(sorted(found, key=lambda one: one.plural))


def groups(catalogue: Catalogue) -> list[str]:
    """The named groups, in the order in which they are listed."""
    return list(dict.fromkeys(group for group, _ in catalogue.group_versions if group))


def api_versions() -> Object:
    """/api"""
    address = {"clientCIDR": "0.0.0.0/0", "serverAddress": "172.18.0.2:6443"}
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [address]}


def api_group(catalogue: Catalogue, group: str) -> Object | None:
    """/apis/GROUP, without its type; None when there is no such group."""
    versions = [version for name, version in catalogue.group_versions if name == group]
    if not versions:
        return None
    listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def api_group_list(catalogue: Catalogue) -> Object:
    """/apis"""
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [api_group(catalogue, group) for group in groups(catalogue)],
    }


@lru_cache(maxsize=64)
def api_resource_list(catalogue: Catalogue, group: str, version: str) -> Object | None:
    """/api/v1 or /apis/GROUP/VERSION; None when there is no such group version."""
    if (group, version) not in catalogue.group_versions:
        return None
    listed: list[Object] = []
    for rtype in of_group_version(catalogue, group, version):
        entry: Object = {
            "name": rtype.plural,
            "singularName": rtype.singular,
            "namespaced": rtype.namespaced,
            "kind": rtype.kind,
            "verbs": _verbs(rtype),
        }
        if rtype.short_names:
            entry["shortNames"] = list(rtype.short_names)
        if rtype.categories:
            entry["categories"] = list(rtype.categories)
        listed.append(entry)
        for sub in rtype.subresources:
            kind: Object = {"kind": rtype.kind}
            if sub.kind:
                kind = {"group": sub.kind[0], "version": sub.kind[1], "kind": sub.kind[2]}
                if (sub.kind[0], sub.kind[1]) == (group, version):
                    kind = {"kind": sub.kind[2]}
            listed.append(
                {
                    "name": f"{rtype.plural}/{sub.name}",
                    "singularName": "",
                    "namespaced": rtype.namespaced,
                    **kind,
                    "verbs": sorted(sub.verbs),
                }
            )
    group_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}


_CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
"""In upstream's own order, which ``kubectl api-resources -o wide`` shows."""


def _verbs(rtype: ResourceType) -> list[str]:
    return list(_CUSTOM_VERBS) if rtype.custom else sorted(rtype.verbs)


@lru_cache(maxsize=64)
def aggregated(catalogue: Catalogue, core: bool, version: str) -> Object:
    """APIGroupDiscoveryList for /api (``core``) or /apis."""
    names = [""] if core else groups(catalogue)
    items = []
    for group in names:
        versions = [one for name, one in catalogue.group_versions if name == group]
        items.append(
            {
                "metadata": {"name": group} if group else {},
                "versions": [
                    {
                        "version": one,
                        "resources": [_discovered(rtype) for rtype in of_group_version(catalogue, group, one)],
                        "freshness": "Current",
                    }
                    for one in versions
                ],
            }
        )
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"{AGGREGATED}/{version}",
        "metadata": {},
        "items": items,
    }


def _discovered(rtype: ResourceType) -> Object:
    entry: dict[str, Any] = {
        "resource": rtype.plural,
        "responseKind": {"group": rtype.group, "version": rtype.version, "kind": rtype.kind},
        "scope": _SCOPES[rtype.namespaced],
        "singularResource": rtype.singular,
        "verbs": _verbs(rtype),
    }
    if rtype.short_names:
        entry["shortNames"] = list(rtype.short_names)
    if rtype.categories:
        entry["categories"] = list(rtype.categories)
    if rtype.subresources:
        entry["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": dict(
                    zip(("group", "version", "kind"), sub.kind or (rtype.group, rtype.version, rtype.kind), strict=True)
                ),
                "verbs": sorted(sub.verbs),
            }
            for sub in rtype.subresources
        ]
    return entry
