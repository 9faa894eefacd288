"""Writes pods' statuses: one write at a time for each pod, only what changed, again until it has worked.

And again when somebody else has changed what was written: the node controller calls the pods of a node that it does not
hear of not ready. The pod's object comes with every change, so nobody has to ask; it is read against the answer to the
last write, which tells what of the object was there already.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from kubelab.engine.client import ApiError, Client, Object, WorkQueue, is_conflict, is_not_found
from kubelab.engine.client.informer import version_of
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
        self._written: dict[str, tuple[Object, Object]] = {}
        """Of each pod the status that was written last, and the object that the API made of it."""

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
        """Write the status now, if the API has another one; whether the pod is still there."""
        meta = record.pod["metadata"]
        status = pod_status(record, stamp(self._clock.now()))
        if self._is_known(record.pod, status):
            return True
        patch = {"metadata": {"uid": meta["uid"]}, "status": status}
        try:
            answer = await self._client.patch(PODS, meta["name"], patch, meta["namespace"], subresource="status")
        except ApiError as error:
            if is_not_found(error) or is_conflict(error):  # gone, or another pod of that name
                return False
            raise
        self._written[meta["uid"]] = status, answer
        return True

    def _is_known(self, pod: Object, status: Object) -> bool:
        if pod["metadata"]["uid"] not in self._written:
            return status == _part(pod, status)
        written, answer = self._written[pod["metadata"]["uid"]]
        unchanged = version_of(pod) <= version_of(answer) or _part(pod, status) == _part(answer, status)
        return status == written and unchanged

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        self._written.pop(uid, None)


def _part(pod: Object, status: Object) -> Object:
    """Of a pod's status the fields that the other one has."""
    said = pod.get("status") or {}
    return {name: said.get(name) for name in status}
