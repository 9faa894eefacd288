"""The ingress controller of kubelab in a kind cluster, with doors on 127.0.0.1.

The doors are a second Service before the same pods: node ports that the control plane's container maps to this machine.
It is ``externalTrafficPolicy: Cluster``, so that a door leads to the pod on whatever node it is.
"""

from __future__ import annotations

import asyncio
from typing import Any

from kubelab.clusters.kind.configuration import DOORS
from kubelab.engine import addons, gateway_api
from kubelab.engine.client import ApiError, Client, Object, is_not_found
from kubelab.engine.client.resources import DEPLOYMENTS
from kubelab.engine.ingress import manifests

READY_SECONDS = 120.0
PAUSE_SECONDS = 0.3
DOORS_NAME = "kubelab-ingress-doors"


async def install(client: Client) -> None:
    """Create what is missing of it, and wait until it serves."""
    await gateway_api.install(client)
    await addons.create_missing(client, [*manifests.manifests(), doors()])
    while not await is_available(client):  # noqa: ASYNC110  (there is no event to wait for)
        await asyncio.sleep(PAUSE_SECONDS)


async def is_available(client: Client) -> bool:
    """Whether a pod of the controller serves now."""
    try:
        found: Object = await client.get(DEPLOYMENTS, manifests.NAME, manifests.NAMESPACE)
    except ApiError as error:
        if is_not_found(error):
            return False
        raise
    return bool((found.get("status") or {}).get("availableReplicas"))


def doors() -> dict[str, Any]:
    """The Service behind the mapped ports."""
    ports = [
        {"name": name, "port": port, "targetPort": name, "nodePort": DOORS[port], "protocol": "TCP"}
        for name, port, _ in manifests.PORTS
    ]
    labels = {"app.kubernetes.io/name": manifests.NAME}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": DOORS_NAME, "namespace": manifests.NAMESPACE, "labels": labels},
        "spec": {"type": "NodePort", "selector": labels, "ports": ports},
    }
