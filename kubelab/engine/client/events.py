"""Kubernetes Events: what a component tells the learner about an object (`kubectl describe`, `kubectl events`)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from datetime import UTC, datetime

from kubelab.engine.client.api import Client, Object
from kubelab.engine.client.errors import PASSING, ApiError, is_not_found
from kubelab.engine.client.resources import EVENTS

log = logging.getLogger(__name__)

MOST_TRIES, PAUSE_SECONDS = 3, 0.05
"""Of one event; not more, since whoever tells of something waits as long."""
MOST_REMEMBERED = 4096
"""Events that a component counts on; older ones begin anew."""


def now() -> str:
    """The time as the API writes it: seconds, UTC, ``Z``."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class EventRecorder:
    """Writes Events as one component; the same event again raises its ``count`` instead of adding one."""

    def __init__(self, client: Client, component: str, host: str = "") -> None:
        self._client = client
        self._source = {"component": component, **({"host": host} if host else {})}
        self._written: OrderedDict[str, tuple[str, int]] = OrderedDict()
        """Name and count of the events written, by what they say."""

    async def record(
        self, obj: Object, reason: str, message: str, *, warning: bool = False, field_path: str = ""
    ) -> None:
        """Write the event; a failure to do so is logged and never raised.

        ``field_path`` says which part of the object it is about: ``spec.containers{web}``.
        """
        meta = obj["metadata"]
        namespace = meta.get("namespace") or "default"
        same = f"{self._source}{obj.get('kind')}{meta.get('uid')}{reason}{message}{field_path}"
        if same in self._written and await self._again(namespace, same):
            return
        # Named by the time, as upstream's, so that events of the same second list in their order.
        name = f"{meta['name']}.{time.time_ns():x}"
        self._remember(same, name, 1)
        event = {
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {
                "apiVersion": obj.get("apiVersion", "v1"),
                "kind": obj.get("kind"),
                "name": meta["name"],
                # None of the cluster's own objects: `kubectl describe` looks for their events without one.
                **({"namespace": meta["namespace"]} if meta.get("namespace") else {}),
                "uid": meta.get("uid"),
                "resourceVersion": meta.get("resourceVersion"),
                **({"fieldPath": field_path} if field_path else {}),
            },
            "reason": reason,
            "message": message,
            "type": "Warning" if warning else "Normal",
            "source": self._source,
            "reportingComponent": self._source["component"],
            "reportingInstance": self._source.get("host", ""),
            "firstTimestamp": now(),
            "lastTimestamp": now(),
            "count": 1,
        }
        await self._write(event)

    async def _write(self, event: Object) -> None:
        """Its name is its own: one that was written although the answer was lost is not written twice."""
        for left in reversed(range(MOST_TRIES)):
            try:
                await self._client.create(EVENTS, event)
                return
            except (ApiError, OSError) as error:
                if not left or (isinstance(error, ApiError) and error.code not in PASSING):
                    log.debug("event %s not written: %s", event["reason"], error)
                    return
            await asyncio.sleep(PAUSE_SECONDS)

    async def _again(self, namespace: str, same: str) -> bool:
        """Count an event once more, without the right to read it; False when it is not there any more."""
        name, count = self._written[same]
        try:
            await self._client.patch(EVENTS, name, {"count": count + 1, "lastTimestamp": now()}, namespace)
        except (ApiError, OSError) as error:
            log.debug("event %s not counted: %s", name, error)
            return not is_not_found(error)
        self._remember(same, name, count + 1)
        return True

    def _remember(self, same: str, name: str, count: int) -> None:
        self._written[same] = name, count
        self._written.move_to_end(same)
        if len(self._written) > MOST_REMEMBERED:
            self._written.popitem(last=False)
