"""The node agent: what kubelet is to a real node."""

from __future__ import annotations

import asyncio
import logging
import shutil

from kubelab.engine import images
from kubelab.engine.client import Client, Informer, Object
from kubelab.engine.client.resources import PODS
from kubelab.engine.config import NodeSpec
from kubelab.engine.network.contract import Network, NetworkLost
from kubelab.engine.node.addresses import PodAddresses
from kubelab.engine.node.events import Events
from kubelab.engine.node.host import Host
from kubelab.engine.node.kubelet_api import KubeletApi
from kubelab.engine.node.kubelet_server import KubeletServer
from kubelab.engine.node.machine import this_machine
from kubelab.engine.node.pod_worker import PodWorker
from kubelab.engine.node.registration import Registration
from kubelab.engine.node.settings import NodeSettings
from kubelab.engine.node.sources import Sources
from kubelab.engine.node.status import PodRecord
from kubelab.engine.node.status_writer import StatusWriter

log = logging.getLogger(__name__)

AGAIN_SECONDS = 1.0
"""After which a pod is taken up again whose worker has failed."""


class NodeAgent:
    """One node's pods, on a network in which `Network.add_node` has made the node already.

    All that it knows it can read from the API again: after `NetworkLost` make a new one on a new network.
    """

    def __init__(self, client: Client, network: Network, spec: NodeSpec, settings: NodeSettings) -> None:
        self._spec = spec
        self._settings = settings
        self._client = client
        self.host = Host(
            client,
            network,
            spec,
            settings,
            this_machine(),
            Sources(client),
            Events(client, spec.name),
            PodAddresses(spec.pod_cidr),
        )
        self._pods = Informer(client, PODS, query=(("fieldSelector", f"spec.nodeName={spec.name}"),))
        self._writer = StatusWriter(client, settings.clock, self._record_of)
        self.workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._past: set[str] = set()
        self._ending = False
        self.api = KubeletApi(self)
        self.server = KubeletServer(self.api)

    async def run(self) -> None:
        """Register, run the node's pods and heartbeat, until cancelled. Raises `NetworkLost`."""
        images.install_links(self._settings.links)
        lost = asyncio.ensure_future(self.host.network.lost())
        living = asyncio.ensure_future(self._live())
        try:
            await asyncio.wait([lost, living], return_when=asyncio.FIRST_COMPLETED)
            if lost.done():
                raise NetworkLost(f"node {self._spec.name}: the network has gone")
            living.result()
        finally:
            self._ending = True
            await _end(living, lost, *self._tasks.values())

    async def _live(self) -> None:
        port = await self.server.start(self._settings.kubelet_tls, self._settings.reached)
        try:
            async with asyncio.TaskGroup() as group:
                for part in (self._pods, self.host.sources, self.host.events, self._writer):
                    group.create_task(part.run())
                registration = Registration(self._client, self._spec, self._settings, self.host.machine, port)
                await registration.register()
                await self._pods.synced()
                await self.host.sources.synced()
                self._keep_addresses()
                self._clean_up()
                self._pods.listen(self._pod_changed)
                await registration.run()
        finally:
            await self.server.stop()

    def _keep_addresses(self) -> None:
        """Reserve the addresses that pods have already, before a new pod can take one."""
        for pod in self._pods.all():
            status = pod.get("status") or {}
            if status.get("podIP") and status.get("phase") in ("Pending", "Running"):
                self.host.addresses.keep(pod["metadata"]["uid"], status["podIP"])

    def _clean_up(self) -> None:
        """Remove what pods left that were deleted while no agent ran."""
        alive = {pod["metadata"]["uid"] for pod in self._pods.all()}
        for folder in (self.host.volumes, self.host.logs):
            folder.mkdir(parents=True, exist_ok=True)
            for left in folder.iterdir():
                if left.name not in alive:
                    shutil.rmtree(left, ignore_errors=True)

    # Pods

    def _record_of(self, uid: str) -> PodRecord | None:
        worker = self.workers.get(uid)
        return worker.record if worker is not None else None

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        uid = (new or old or {})["metadata"]["uid"]
        worker = self.workers.get(uid)
        if new is None:
            self._past.discard(uid)
            if worker is not None:
                worker.gone()
        elif uid in self._past:
            return  # it has been deleted already; this is an older event
        elif worker is not None:
            worker.update(new)
        else:
            self._begin(new)

    def _begin(self, pod: Object) -> None:
        worker = PodWorker(self.host, pod, self._writer)
        self.workers[worker.uid] = worker
        task = asyncio.create_task(worker.run(), name=f"pod {pod['metadata']['name']}")
        self._tasks[worker.uid] = task
        task.add_done_callback(lambda _: self._ended(worker.uid, task))

    def _ended(self, uid: str, task: asyncio.Task[None]) -> None:
        self.workers.pop(uid, None)
        self._tasks.pop(uid, None)
        self._writer.forget(uid)
        if (
            not task.cancelled()
            and task.exception() is None
            and any(pod["metadata"]["uid"] == uid for pod in self._pods.all())
        ):
            self._past.add(uid)
        if not task.cancelled() and (error := task.exception()) is not None and not _is_lost(error):
            log.error("pod %s failed inside the node agent: %s", uid, error, exc_info=error)
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._begin_again, uid)

    def _begin_again(self, uid: str) -> None:
        pod = next((pod for pod in self._pods.all() if pod["metadata"]["uid"] == uid), None)
        if pod is not None and uid not in self.workers and not self._ending:
            self._begin(pod)


def _is_lost(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_lost(each) for each in error.exceptions)
    return isinstance(error, NetworkLost)


async def _end(*futures: asyncio.Future[None]) -> None:
    for future in futures:
        future.cancel()
    await asyncio.gather(*futures, return_exceptions=True)
