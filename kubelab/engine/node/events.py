"""The node agent's Events, written beside its work and in order."""

from __future__ import annotations

import asyncio

from kubelab.engine.client import Client, EventRecorder, Object

MOST_WAITING = 1000


class Events:
    """`record` returns at once; `run` writes. Beyond a thousand waiting ones new events are dropped, as in kubelet."""

    def __init__(self, client: Client, host: str) -> None:
        self._recorder = EventRecorder(client, "kubelet", host)
        self._waiting: asyncio.Queue[tuple[Object, str, str, bool, str]] = asyncio.Queue(MOST_WAITING)

    def record(self, obj: Object, reason: str, message: str, *, warning: bool = False, field_path: str = "") -> None:
        """Write the event soon."""
        if not self._waiting.full():
            self._waiting.put_nowait((obj, reason, message, warning, field_path))

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            obj, reason, message, warning, field_path = await self._waiting.get()
            await self._recorder.record(obj, reason, message, warning=warning, field_path=field_path)
