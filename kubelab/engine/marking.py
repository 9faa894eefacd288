"""The control-plane node is marked by the cluster's owner, as kubeadm does: a node may not give itself a role."""

from __future__ import annotations

import asyncio

from kubelab.engine.client import ApiError, Client, is_not_found
from kubelab.engine.client.resources import NODES

LABELS = {
    "node-role.kubernetes.io/control-plane": "",
    "node.kubernetes.io/exclude-from-external-load-balancers": "",
}
RETRY_SECONDS = 0.02


async def mark_control_plane(client: Client, name: str) -> None:
    """Label the node as soon as its agent has registered it. Raises `ApiError`."""
    while True:
        try:
            await client.patch(NODES, name, {"metadata": {"labels": LABELS}})
            return
        except ApiError as error:
            if not is_not_found(error):
                raise
        await asyncio.sleep(RETRY_SECONDS)
