"""The node's own object, its status and its Lease, as a kind node's kubelet writes them."""

from __future__ import annotations

import asyncio
import copy
import logging
import math
from collections.abc import Awaitable, Callable
from datetime import datetime

from kubelab import __version__
from kubelab.engine.client import ApiError, Client, Object, already_exists, is_conflict, is_not_found
from kubelab.engine.client.resources import LEASES, NODES
from kubelab.engine.config import KUBERNETES_VERSION, NodeSpec
from kubelab.engine.node.clock import stamp, stamp_micro
from kubelab.engine.node.machine import MOST_PODS, Machine
from kubelab.engine.node.records import RUNTIME
from kubelab.engine.node.settings import NodeSettings

log = logging.getLogger(__name__)

LEASE_NAMESPACE = "kube-node-lease"
LEASE_DURATION_SECONDS = 40
RETRY_SECONDS = 0.2

_HEALTHY = {
    "MemoryPressure": ("False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    "Ready": ("True", "KubeletReady", "kubelet is posting ready status"),
}


class Registration:
    """Registers the node and keeps its heartbeat; ``port`` is the kubelet API's, 0 when it is not served."""

    def __init__(self, client: Client, spec: NodeSpec, settings: NodeSettings, machine: Machine, port: int) -> None:
        self._client = client
        self._spec = spec
        self._settings = settings
        self._machine = machine
        self._port = port
        self._told = -math.inf

    async def register(self) -> Object:
        """Create the Node, or take over the one that is there, its labels and taints kept; answers it."""
        while True:
            try:
                return await self._register()
            except (ApiError, OSError) as error:
                log.warning("node %s cannot be registered yet: %s", self._spec.name, error)
                await self._settings.clock.sleep(RETRY_SECONDS)

    async def _register(self) -> Object:
        node = node_object(self._spec, self._machine)
        try:
            known = await self._client.create(NODES, {**node, "status": self._status({})})
        except ApiError as error:
            if not already_exists(error):
                raise
            known = await self._client.patch(NODES, self._spec.name, {"metadata": node["metadata"]})
        await self._tell(known)
        try:
            await self._renew()
        except ApiError as error:  # no reason to keep the node out: the next heartbeat tries again
            log.warning("node %s has no lease yet: %s", self._spec.name, error)
        return known

    async def run(self) -> None:
        """Until cancelled, renew the Lease and see every ten seconds that the status is the node's own.

        It is written when it differs, as when the node controller has called the node Unknown, and every five minutes.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat(self._settings.lease_seconds, self._renew))
            group.create_task(self._repeat(self._settings.look_seconds, self._look))

    async def _repeat(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._settings.clock.sleep(seconds)
            try:
                await work()
            except (ApiError, OSError) as error:
                if is_not_found(error) and work == self._look:
                    await self.register()
                else:
                    log.warning("node %s: heartbeat failed: %s", self._spec.name, error)

    async def _look(self) -> None:
        known = await self._client.get(NODES, self._spec.name)
        said = known.get("status") or {}
        status = self._status(said)
        overdue = self._settings.clock.passed() - self._told >= self._settings.report_seconds
        if overdue or _lasting(status) != _lasting({name: said.get(name) for name in status}):
            await self._tell(known)

    async def _tell(self, known: Object) -> None:
        status = self._status(known.get("status") or {})
        await self._client.patch(NODES, self._spec.name, {"status": status}, subresource="status")
        self._told = self._settings.clock.passed()

    def _status(self, known: Object) -> Object:
        now = stamp(self._settings.clock.now())
        status = node_status(self._spec, self._machine, self._port)
        since = {each["type"]: each for each in known.get("conditions") or ()}
        status["conditions"] = [_condition(kind, *values, since.get(kind), now) for kind, values in _HEALTHY.items()]
        status["conditions"] += [each for kind, each in since.items() if kind not in _HEALTHY]
        return status

    async def _renew(self) -> None:
        now: datetime = self._settings.clock.now()
        patch = {"spec": {"renewTime": stamp_micro(now), "holderIdentity": self._spec.name}}
        try:
            await self._client.patch(LEASES, self._spec.name, patch, LEASE_NAMESPACE)
        except ApiError as error:
            if not is_not_found(error):
                raise
            await self._create_lease(copy.deepcopy(patch["spec"]))

    async def _create_lease(self, spec: Object) -> None:
        node = await self._client.get(NODES, self._spec.name)
        owner = {"apiVersion": "v1", "kind": "Node", "name": self._spec.name, "uid": node["metadata"]["uid"]}
        meta = {"name": self._spec.name, "namespace": LEASE_NAMESPACE, "ownerReferences": [owner]}
        spec["leaseDurationSeconds"] = LEASE_DURATION_SECONDS
        try:
            await self._client.create(LEASES, {"metadata": meta, "spec": spec})
        except ApiError as error:
            if not (already_exists(error) or is_conflict(error)):
                raise


def _lasting(status: Object) -> Object:
    """A status without the times at which it was told."""
    conditions = [{**each, "lastHeartbeatTime": None} for each in status.get("conditions") or ()]
    return {**status, "conditions": sorted(conditions, key=lambda each: str(each["type"]))}


def _condition(kind: str, status: str, reason: str, message: str, known: Object | None, now: str) -> Object:
    since = known["lastTransitionTime"] if known and known["status"] == status else now
    return {
        "type": kind,
        "status": status,
        "lastHeartbeatTime": now,
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }


def node_object(spec: NodeSpec, machine: Machine) -> Object:
    """Metadata and spec of a fresh Node."""
    labels = {
        "beta.kubernetes.io/arch": machine.architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine.architecture,
        "kubernetes.io/hostname": spec.name,
        "kubernetes.io/os": "linux",
    }
    cluster = spec.name.rsplit("-", 2)[0] if spec.control_plane else spec.name.rsplit("-", 1)[0]
    node: Object = {
        "podCIDR": spec.pod_cidr,
        "podCIDRs": [spec.pod_cidr],
        "providerID": f"kind://kubelab/{cluster}/{spec.name}",
    }
    if spec.control_plane:  # its labels are not an agent's to give: NodeRestriction refuses them
        node["taints"] = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
    annotations = {"volumes.kubernetes.io/controller-managed-attach-detach": "true"}
    return {"metadata": {"name": spec.name, "labels": labels, "annotations": annotations}, "spec": node}


def node_status(spec: NodeSpec, machine: Machine, port: int) -> Object:
    """Everything in a Node's status but its conditions."""
    memory, disk = f"{machine.memory_bytes // 1024}Ki", f"{machine.disk_bytes // 1024}Ki"
    capacity = {"cpu": str(machine.cpus), "ephemeral-storage": disk, "memory": memory, "pods": str(MOST_PODS)}
    status: Object = {
        "addresses": [
            {"type": "InternalIP", "address": spec.ip},
            {"type": "Hostname", "address": spec.name},
            # Where the API server reaches this agent: all nodes are this machine.
            {"type": "ExternalDNS", "address": "localhost"},
        ],
        "capacity": capacity,
        "allocatable": dict(capacity),
        "nodeInfo": {
            "architecture": machine.architecture,
            "bootID": machine.boot_id,
            "containerRuntimeVersion": f"{RUNTIME}://{__version__}",
            "kernelVersion": machine.kernel,
            "kubeProxyVersion": "",
            "kubeletVersion": KUBERNETES_VERSION,
            "machineID": machine.machine_id,
            "operatingSystem": "linux",
            "osImage": machine.system,
            "systemUUID": machine.machine_id,
        },
    }
    if port:
        status["daemonEndpoints"] = {"kubeletEndpoint": {"Port": port}}
    return status
