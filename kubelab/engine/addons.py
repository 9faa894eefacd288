"""What a fresh cluster holds beside the learner's objects: the name server and kubeadm's ConfigMaps."""

from __future__ import annotations

from kubelab.engine.client import ApiError, Client, Object, Resource, already_exists
from kubelab.engine.client.resources import DEPLOYMENTS, SERVICEACCOUNTS, SERVICES
from kubelab.engine.dns.manifests import manifests

_RESOURCES: dict[str, Resource] = {each.kind: each for each in (DEPLOYMENTS, SERVICEACCOUNTS, SERVICES)}


async def install(client: Client) -> None:
    """Create what is missing; what is there, changed by the learner or not, stays as it is."""
    for manifest in manifests():
        await _create(client, manifest)


async def _create(client: Client, manifest: Object) -> None:
    try:
        await client.create(_RESOURCES[manifest["kind"]], manifest)
    except ApiError as error:
        if not already_exists(error):
            raise
