"""One pod on its node, from the moment it is bound until it is gone."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable, Mapping

from kubelab.engine.client import ApiError, Object, is_conflict, is_not_found
from kubelab.engine.client.resources import PODS
from kubelab.engine.node import sandbox
from kubelab.engine.node.addresses import OutOfAddresses
from kubelab.engine.node.clock import Deadline, cancel, first, stamp
from kubelab.engine.node.container import Container
from kubelab.engine.node.containers import Containers
from kubelab.engine.node.host import Host
from kubelab.engine.node.records import records_of
from kubelab.engine.node.references import references_of
from kubelab.engine.node.resolver import resolver_of
from kubelab.engine.node.status import PodRecord, phase
from kubelab.engine.node.status_writer import StatusWriter
from kubelab.engine.node.unapplied import unapplied
from kubelab.engine.node.volumes import VolumeFailed, Volumes

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 122.0
LONGEST_LOOK_SECONDS = 60.0
"""A pod's tokens are looked at so often at least: the time may be set, and they with it be too old or too young."""
OVERSTAYED = "Pod was active on the node longer than the specified deadline"
FORCED_GRACE_SECONDS = 1.0
"""What the containers of a pod get that was deleted by force, as in kubelet."""


class PodWorker:
    """Call `run` once; feed it with `update` and `gone`."""

    def __init__(self, host: Host, pod: Object, writer: StatusWriter) -> None:
        self._host = host
        self._writer = writer
        status = pod.get("status") or {}
        now = host.clock.now()
        self._finished = status.get("phase") in ("Succeeded", "Failed")
        self.record = PodRecord(
            pod,
            records_of(pod, now),
            host.spec.ip,
            ip=status.get("podIP") or "",
            started_at=status.get("startTime") or stamp(now),
        )
        self._volumes = Volumes(host.volumes / self.uid, host.sources, host.machine, host.clock)
        self._setting_up = True
        self._gone = False
        self._deadline: Deadline | None = None
        self._stopping = asyncio.Event()
        self._deleted = asyncio.Event()
        self._poked = asyncio.Event()
        self._limited = asyncio.Event()
        self._containers = Containers(host, self.record, self._volumes, self.publish, self._stopping)
        self.update(pod)

    @property
    def uid(self) -> str:
        """The pod's UID."""
        return str(self.record.pod["metadata"]["uid"])

    @property
    def containers(self) -> Mapping[str, Container]:
        """The pod's containers by their names."""
        return self._containers.by_name

    # What the API says

    def update(self, pod: Object) -> None:
        """The pod's object has changed."""
        self.record.pod = pod
        self._containers.update(pod["spec"])
        if pod["spec"].get("activeDeadlineSeconds"):
            self._limited.set()
        meta = pod["metadata"]
        if meta.get("deletionTimestamp"):
            self._deleted.set()
            seconds = meta.get("deletionGracePeriodSeconds")
            self._stop_within(30.0 if seconds is None else max(float(seconds), FORCED_GRACE_SECONDS))
        self._poked.set()
        self.publish()

    def gone(self) -> None:
        """The object is not there any more: end the pod without telling of it."""
        self._gone = True
        self._deleted.set()
        self._stop_within(FORCED_GRACE_SECONDS)

    def _stop_within(self, seconds: float) -> None:
        if self._deadline is None:
            self._deadline = Deadline(self._host.clock, seconds)
        self._deadline.shorten(seconds)
        self._stopping.set()

    def publish(self) -> None:
        """Have the status written soon."""
        if not self._finished and not self._gone:
            self._writer.publish(self.uid)

    def _event(self, reason: str, message: str, *, warning: bool = True) -> None:
        self._host.events.record(self.record.pod, reason, message, warning=warning)

    # Its life

    async def run(self) -> None:
        """Run the pod to its end, and take it away when it is deleted."""
        if not self._finished:
            named = references_of(self.record.pod)
            for reference in named:
                self._host.sources.follow(reference, self._source_changed)
            try:
                await self._live_or_stop()
            finally:
                for reference in named:
                    self._host.sources.leave(reference, self._source_changed)
            await self._tear_down()
            await self._tell_end()
        await self._deleted.wait()
        await self._take_away()

    def _source_changed(self) -> None:
        self._poked.set()
        self._containers.source_changed()

    async def _live_or_stop(self) -> None:
        living = asyncio.ensure_future(self._live())
        try:
            await first(living, self._stopping.wait(), self._overstay(), cancel=False)
            if not living.done() and self._setting_up:
                await cancel(living)
            elif not living.done():
                assert self._deadline is not None
                await self._containers.stop(self._deadline)
                await living
            else:
                living.result()
        finally:
            await cancel(living)
        self.record.ended = self.record.ended or self._stopping.is_set()

    async def _overstay(self) -> None:
        """Wait until the pod has been active for longer than it may, and have it end for that."""
        await self._limited.wait()
        while (seconds := self.record.active_seconds_left(self._host.clock.now())) > 0:
            self._limited.clear()  # it may be shortened
            await first(self._host.clock.sleep(seconds), self._limited.wait())
        self.record.failure = {"reason": "DeadlineExceeded", "message": OVERSTAYED}
        self._event("DeadlineExceeded", OVERSTAYED, warning=False)
        self._stop_within(self.record.pod["spec"].get("terminationGracePeriodSeconds", 30))

    async def _live(self) -> None:
        if self._stopping.is_set():
            return
        await self._make_sandbox()
        await self._make_volumes()
        self._setting_up = False
        fresh = asyncio.ensure_future(self._keep_fresh())
        try:
            await self._containers.run()
        finally:
            await cancel(fresh)

    async def _make_sandbox(self) -> None:
        retry = FIRST_RETRY_SECONDS
        while True:
            try:
                await sandbox.make(self._host, self.record)
                break
            except (OSError, OutOfAddresses) as error:
                self._event("FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
                await self._host.clock.sleep(retry)
                retry = min(retry * 2, LONGEST_RETRY_SECONDS)
        self.record.sandbox = True
        self.publish()
        if names := unapplied(self.record.pod):
            self._event("NotApplied", f"kubelab accepts these fields and does not apply them: {', '.join(names)}")
        for message in resolver_of(self.record.pod).omissions:
            self._event("DNSConfigForming", message)

    async def _make_volumes(self) -> None:
        retry = FIRST_RETRY_SECONDS
        while True:
            self._poked.clear()
            try:
                await self._volumes.write(self._pod_with_addresses())
                return
            except VolumeFailed as error:
                self._event("FailedMount", f'MountVolume.SetUp failed for volume "{error.volume}" : {error}')
            except (ApiError, OSError) as error:
                self._event("FailedMount", f"Unable to attach or mount volumes: {error}")
            await first(self._host.clock.sleep(retry), self._poked.wait())
            retry = min(retry * 2, LONGEST_RETRY_SECONDS)

    def _pod_with_addresses(self) -> Object:
        ips = {"podIP": self.record.ip, "podIPs": [{"ip": self.record.ip}], "hostIP": self.record.host_ip}
        return {**self.record.pod, "status": {**(self.record.pod.get("status") or {}), **ips}}

    async def _keep_fresh(self) -> None:
        """Rewrite the volumes when a ConfigMap, a Secret or the pod changes, and before a token runs out."""
        while True:
            seconds = self._volumes.seconds_until_renewal
            renewal = [] if seconds is None else [self._host.clock.sleep(min(seconds, LONGEST_LOOK_SECONDS))]
            await first(self._poked.wait(), *renewal)
            if not self._poked.is_set() and self._volumes.seconds_until_renewal:
                continue
            self._poked.clear()
            try:
                await self._volumes.write(self._pod_with_addresses())
            except (VolumeFailed, ApiError, OSError) as error:
                log.info("pod %s: volumes stay as they are: %s", self.record.pod["metadata"]["name"], error)
                await self._host.clock.sleep(FIRST_RETRY_SECONDS)

    # Its end

    async def _tear_down(self) -> None:
        await sandbox.remove(self._host, self.record)
        self.record.sandbox = False

    async def _tell_end(self) -> None:
        if self._gone:
            return
        for each in self.record.containers:  # those that never came to run
            if "waiting" in each.state and self._stopping.is_set() and each.exit_code is not None:
                each.state = each.last_state
        await self._until_done(lambda: self._writer.write(self.record))
        self._finished = phase(self.record) in ("Succeeded", "Failed")

    async def _take_away(self) -> None:
        if not self._gone:
            await self._until_done(self._delete)
        self._volumes.remove()
        shutil.rmtree(self._host.logs / self.uid, ignore_errors=True)

    async def _delete(self) -> None:
        meta = self.record.pod["metadata"]
        try:
            await self._host.client.delete(PODS, meta["name"], meta["namespace"], grace_seconds=0, uid=meta["uid"])
        except ApiError as error:
            if not (is_not_found(error) or is_conflict(error)):
                raise

    async def _until_done(self, work: Callable[[], Awaitable[object]]) -> None:
        retry = FIRST_RETRY_SECONDS
        while not self._gone:
            try:
                await work()
                return
            except (ApiError, OSError) as error:
                log.warning("pod %s: %s; trying again", self.record.pod["metadata"]["name"], error)
                await self._host.clock.sleep(retry)
                retry = min(retry * 2, 10.0)
