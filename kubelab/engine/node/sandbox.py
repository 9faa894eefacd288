"""A pod's network on its node."""

from __future__ import annotations

from kubelab.engine.node.host import Host
from kubelab.engine.node.status import PodRecord


async def make(host: Host, record: PodRecord) -> None:
    """Give the pod its address and its network; one on the node's has both. Raises OSError and `OutOfAddresses`."""
    if record.pod["spec"].get("hostNetwork"):
        record.ip = host.spec.ip
        return
    uid, again = record.pod["metadata"]["uid"], bool(record.ip)
    record.ip = host.addresses.take(uid)
    if again:
        await host.network.remove_pod(uid)  # what an agent before this one may have left
    await host.network.add_pod(uid, host.spec.name, record.ip)


async def remove(host: Host, record: PodRecord) -> None:
    """Take both away again, and what still runs there."""
    if not record.pod["spec"].get("hostNetwork"):
        uid = record.pod["metadata"]["uid"]
        await host.network.remove_pod(uid)
        host.addresses.release(uid)
