"""All controllers on an API server in memory, with a stand-in for the kubelets."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from kubelab.engine.apiserver import ApiServer, ApiServerSettings
from kubelab.engine.client import Client, Informer, InProcessTransport, WorkQueue, is_not_found, key_of
from kubelab.engine.client.errors import ApiError
from kubelab.engine.client.resources import (
    CONFIGMAPS,
    DEPLOYMENTS,
    ENDPOINTS,
    ENDPOINTSLICES,
    EVENTS,
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    REPLICASETS,
    SERVICEACCOUNTS,
    SERVICES,
)
from kubelab.engine.config import POD_CIDR
from kubelab.engine.controllers import run_controllers

AUTHORIZER = "kubelab.engine.apiserver.access.authorizer"
WATCHED = (NAMESPACES, NODES, PODS, SERVICES, ENDPOINTS, ENDPOINTSLICES, CONFIGMAPS, SERVICEACCOUNTS, EVENTS,
           DEPLOYMENTS, REPLICASETS)  # fmt: skip


class Clock:
    """Time, which a test can let pass (``ahead``), and the wall clock, which it can set as well (``set_by``)."""

    ahead = set_by = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead + self.set_by

    def steady(self) -> float:
        return time.monotonic() + self.ahead.total_seconds()


class Cluster:
    """``until`` waits on a condition over what the API says.

    Pods of an image with ``broken`` in its name never become ready. With ``holds_deletions`` terminating pods stay.
    """

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self.clock = Clock()
        self.api = self.client_for("kubernetes-admin")
        self.holds_deletions = False
        self.informers = {resource: Informer(self.api, resource) for resource in WATCHED}
        self._changed = asyncio.Event()
        self._kubelet: WorkQueue = WorkQueue("kubelet", self._serve)
        self._addresses = count(2)

    def client_for(self, user: str) -> Client:
        return Client(InProcessTransport(self._server, user))

    async def run(self) -> None:
        for informer in self.informers.values():
            informer.listen(lambda old, new: self._changed.set())
        self.informers[PODS].listen(lambda old, new: self._kubelet.add(key_of(new or old)))
        async with asyncio.TaskGroup() as group:
            for informer in self.informers.values():
                group.create_task(informer.run())
            group.create_task(self._kubelet.run())
            self._group = group
            self.start_controllers()

    async def watch(self, resource) -> None:
        """Follow another resource, so that `until` and `get` know of it."""
        informer = self.informers[resource] = Informer(self.api, resource)
        informer.listen(lambda old, new: self._changed.set())
        self._group.create_task(informer.run())
        await informer.synced()

    async def create(self, resource, obj: dict, namespace="default") -> dict:
        """Create, and know of it."""
        made = await self.api.create(resource, obj, namespace)
        self.informers[resource].wrote(made)
        return made

    def start_controllers(self) -> None:
        self._controllers = self._group.create_task(
            run_controllers(self.client_for, ca_pem="PEM", clock=self.clock, steady=self.clock.steady),
            name="controllers",
        )

    async def kill_controllers(self) -> None:
        self._controllers.cancel()
        await asyncio.gather(self._controllers, return_exceptions=True)

    async def _serve(self, key) -> None:
        pod = self.informers[PODS].get(*key)
        if pod is None or not pod["spec"].get("nodeName"):
            return
        try:
            if pod["metadata"].get("deletionTimestamp"):
                if not self.holds_deletions:
                    await self.api.delete(PODS, key[1], key[0], grace_seconds=0)
            elif pod["status"].get("phase") == "Pending":
                ready = "False" if "broken" in pod["spec"]["containers"][0]["image"] else "True"
                since = self.clock().strftime("%Y-%m-%dT%H:%M:%SZ")
                address = str(POD_CIDR[next(self._addresses)])
                condition = {"type": "Ready", "status": ready, "lastTransitionTime": since}
                status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
                status["conditions"] = [*pod["status"].get("conditions", []), condition]
                await self.api.patch(PODS, key[1], {"status": status}, key[0], subresource="status")
        except ApiError as error:
            if not is_not_found(error):
                raise

    def let_go(self) -> None:
        """Let the terminating pods end."""
        self.holds_deletions = False
        for pod in self.all(PODS):
            self._kubelet.add(key_of(pod))

    def all(self, resource, namespace="default") -> list[dict]:
        return self.informers[resource].all(namespace)

    def get(self, resource, name: str, namespace="default") -> dict | None:
        return self.informers[resource].get(namespace, name)

    def events(self, reason: str, namespace="default") -> list[str]:
        return [each["message"] for each in self.all(EVENTS, namespace) if each["reason"] == reason]

    async def until(self, condition: Callable[[], object], seconds: float = 10) -> None:
        """Wait until the condition holds; it is looked at after every change of anything."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def add_node(self, name: str, *, ready="True", taints=(), labels=None) -> None:
        spec = {"taints": list(taints)} if taints else {}
        await self.api.create(NODES, {"metadata": {"name": name, "labels": labels or {}}, "spec": spec})
        since = self.clock().strftime("%Y-%m-%dT%H:%M:%SZ")
        condition = {"type": "Ready", "status": ready, "lastTransitionTime": since, "lastHeartbeatTime": since}
        status = {"conditions": [condition], "allocatable": {"cpu": "2", "memory": "4Gi", "pods": "110"}}
        await self.api.patch(NODES, name, {"status": status}, subresource="status")

    async def renew_lease(self, node: str) -> None:
        now = self.clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": node, "leaseDurationSeconds": 40, "renewTime": now}
        lease = {"metadata": {"name": node, "namespace": "kube-node-lease"}, "spec": spec}
        try:
            await self.api.create(LEASES, lease)
        except ApiError:
            await self.api.patch(LEASES, node, {"spec": spec}, "kube-node-lease")

    async def deploy(self, name="web", replicas=2, image="agnhost:1", labels=None, **spec) -> dict:
        labels = labels or {"app": name}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec}
        return await self.api.create(DEPLOYMENTS, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})

    async def change(self, resource, name: str, patch: dict) -> dict:
        """Change, and know of it."""
        changed = await self.api.patch(resource, name, patch, "default")
        self.informers[resource].wrote(changed)
        return changed

    async def set_image(self, name: str, image: str) -> None:
        patch = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}}
        await self.change(DEPLOYMENTS, name, patch)

    def rolled_out(self, name="web") -> bool:
        """As `kubectl rollout status` judges."""
        deployment = self.get(DEPLOYMENTS, name)
        if deployment is None:
            return False
        status, wanted = deployment.get("status", {}), deployment["spec"]["replicas"]
        counts = [status.get(each, 0) for each in ("updatedReplicas", "replicas", "availableReplicas")]
        return status.get("observedGeneration") == deployment["metadata"]["generation"] and counts == [wanted] * 3


@pytest.fixture
async def cluster(caplog):
    """Nobody asks for more than upstream's roles allow: a controller that does fails the test."""
    caplog.set_level(logging.INFO, AUTHORIZER)
    server = ApiServer.open(":memory:", ApiServerSettings())
    cluster = Cluster(server)
    run = asyncio.create_task(cluster.run())
    try:
        await cluster.until(lambda: cluster.get(SERVICEACCOUNTS, "default"))
        await cluster.add_node("worker")
        await cluster.add_node("worker2")
        yield cluster
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        await server.close()
    refused = [each.getMessage() for each in caplog.get_records("call") if each.name == AUTHORIZER]
    assert not refused, refused[:3]
