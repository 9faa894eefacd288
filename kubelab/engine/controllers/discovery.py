"""Which resources the API serves, asked of the API itself."""

from __future__ import annotations

from collections.abc import Iterable

from kubelab.engine.client import Client, Object, Resource


async def served_resources(client: Client, *, verbs: Iterable[str]) -> list[Resource]:
    """Every resource, subresources aside, that can do all of ``verbs``, in the version that its group prefers."""
    core = await client.send("GET", "/api/v1")
    found = _resources("", "v1", core, set(verbs))
    groups = await client.send("GET", "/apis")
    for group in groups.get("groups") or ():
        seen: set[str] = set()
        for each in group["versions"]:  # the preferred one first
            listed = await client.send("GET", f"/apis/{group['name']}/{each['version']}")
            new = _resources(group["name"], each["version"], listed, set(verbs))
            found += [resource for resource in new if resource.plural not in seen]
            seen |= {resource.plural for resource in new}
    return found


def _resources(group: str, version: str, listed: Object, verbs: set[str]) -> list[Resource]:
    return [
        Resource(group, version, each["name"], each["kind"], bool(each["namespaced"]))
        for each in listed.get("resources") or ()
        if "/" not in each["name"] and verbs <= set(each["verbs"])
    ]
