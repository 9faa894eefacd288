"""Events written behind a controller's back: telling never delays doing."""

from __future__ import annotations

import asyncio

from kubelab.engine.client import Client, EventRecorder, Object


class BackgroundEvents:
    """Queues Events of one component and writes them in order."""

    def __init__(self, client: Client, component: str) -> None:
        self._recorder = EventRecorder(client, component)
        self._queue: asyncio.Queue[tuple[Object, str, str, bool]] = asyncio.Queue()

    def record(self, obj: Object, reason: str, message: str, *, warning: bool = False) -> None:
        """Write the Event soon."""
        self._queue.put_nowait((obj, reason, message, warning))

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            obj, reason, message, warning = await self._queue.get()
            await self._recorder.record(obj, reason, message, warning=warning)
