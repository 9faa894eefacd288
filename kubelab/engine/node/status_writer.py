"""Writes pods' statuses: one write at a time for each pod, only what changed, again until it has worked."""

from __future__ import annotations

import logging
from collections.abc import Callable

from kubelab.engine.client import ApiError, Client, Object, WorkQueue, is_conflict, is_not_found
from kubelab.engine.client.resources import PODS
from kubelab.engine.node.clock import Clock, stamp
from kubelab.engine.node.status import PodRecord, pod_status

log = logging.getLogger(__name__)

RecordOf = Callable[[str], PodRecord | None]


class StatusWriter:
    """``record_of`` finds a pod's record by UID; None when the pod is of no interest any more."""

    def __init__(self, client: Client, clock: Clock, record_of: RecordOf) -> None:
        self._client = client
        self._clock = clock
        self._record_of = record_of
        self._queue: WorkQueue[str] = WorkQueue("pod status", self._write_one)
        self._written: dict[str, Object] = {}

    def publish(self, uid: str) -> None:
        """Write the pod's status soon."""
        self._queue.add(uid)

    async def run(self) -> None:
        """Write until cancelled."""
        await self._queue.run()

    async def _write_one(self, uid: str) -> None:
        record = self._record_of(uid)
        if record is not None:
            await self.write(record)

    async def write(self, record: PodRecord) -> bool:
        """Write the status now, if it differs from the last one written; whether the pod is still there."""
        meta = record.pod["metadata"]
        status = pod_status(record, stamp(self._clock.now()))
        last = self._written.get(meta["uid"]) or record.pod.get("status") or {}
        if status == {name: last.get(name) for name in status}:
            return True
        self._written[meta["uid"]] = status
        patch = {"metadata": {"uid": meta["uid"]}, "status": status}
        try:
            await self._client.patch(PODS, meta["name"], patch, meta["namespace"], subresource="status")
        except ApiError as error:
            self._written.pop(meta["uid"], None)
            if is_not_found(error) or is_conflict(error):  # gone, or another pod of that name
                return False
            raise
        except BaseException:
            self._written.pop(meta["uid"], None)
            raise
        return True

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        self._written.pop(uid, None)
