"""Which resources the API serves, asked of the API itself."""

from __future__ import annotations

from collections.abc import Iterable

from kubelab.engine.client import Client, Object, Resource


async def served_resources(client: Client, *, verbs: Iterable[str]) -> list[Resource]:
    """Every resource, subresources aside, that can do all of ``verbs``; of a group only the preferred version."""
    core = await client.send("GET", "/api/v1")
    found = _resources("", "v1", core, set(verbs))
    groups = await client.send("GET", "/apis")
    for group in groups.get("groups") or ():
        version = (group.get("preferredVersion") or group["versions"][0])["version"]
        listed = await client.send("GET", f"/apis/{group['name']}/{version}")
        found += _resources(group["name"], version, listed, set(verbs))
    return found


def _resources(group: str, version: str, listed: Object, verbs: set[str]) -> list[Resource]:
    return [
        Resource(group, version, each["name"], each["kind"], bool(each["namespaced"]))
        for each in listed.get("resources") or ()
        if "/" not in each["name"] and verbs <= set(each["verbs"])
    ]
