"""The Gateway API's kinds as CustomResourceDefinitions: GatewayClass, Gateway, HTTPRoute and ReferenceGrant.

They are there so that nothing has to be fetched. A learner may apply the project's own files over them with
``kubectl apply --server-side``: same names, and versions that include these, so objects stay.
"""

from __future__ import annotations

import asyncio
from importlib.resources import files
from typing import Any

import yaml

from kubelab.engine.client import ApiError, Client, is_not_found
from kubelab.engine.client.resources import CUSTOMRESOURCEDEFINITIONS

GROUP = "gateway.networking.k8s.io"
BUNDLE_VERSION = "v1.6.1"
"""The release of the Gateway API that they follow, of its standard channel."""
SERVED_SECONDS = 30.0
RETRY_SECONDS = 0.1
_PLURALS = ("gatewayclasses", "gateways", "httproutes", "referencegrants")


def definitions() -> list[dict[str, Any]]:
    """The four CustomResourceDefinitions."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # written in C, ten times as fast
    folder = files(__package__)
    return [yaml.load(folder.joinpath(f"{plural}.yaml").read_text(), loader) for plural in _PLURALS]


async def install(client: Client) -> None:
    """Create them, unless there are definitions of that group already: the learner's own win.

    They are applied in kubectl's name, so that its ``apply --server-side`` of the project's files takes them over whole
    instead of finding fields of another manager.
    """
    there = await client.list(CUSTOMRESOURCEDEFINITIONS)
    if not any(one["spec"]["group"] == GROUP for one in there["items"]):
        for definition in definitions():
            await client.apply(CUSTOMRESOURCEDEFINITIONS, definition, manager="kubectl")
        await _wait_until_served(client)


async def _wait_until_served(client: Client) -> None:
    """kube-apiserver accepts a definition at once, and serves its kinds a moment later. Raises TimeoutError."""
    async with asyncio.timeout(SERVED_SECONDS):
        while not set(_PLURALS) <= await _served(client):  # noqa: ASYNC110  (asking is the only way to know)
            await asyncio.sleep(RETRY_SECONDS)


async def _served(client: Client) -> set[str]:
    try:
        listed = await client.send("GET", f"/apis/{GROUP}/v1")
    except ApiError as error:
        if is_not_found(error):
            return set()
        raise
    return {each["name"] for each in listed["resources"]}
