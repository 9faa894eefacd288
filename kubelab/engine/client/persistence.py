"""Requests that are made again while the control plane is not itself: changes its leader, is busy, hangs up."""

from __future__ import annotations

import asyncio
import logging

from kubelab.engine.client.api import Client
from kubelab.engine.client.errors import PASSING
from kubelab.engine.client.transport import ApiRequest, ApiResponse, Transport

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0


def persistent(client: Client, seconds: float) -> Client:
    """The same client for who does one thing after the other and has no loop to begin again with.

    A request may then have been done before the one that is answered: for its user what should be made and is there
    already, or should be deleted and is not there, has to be as good as done.
    """
    return client.by(lambda transport: _Persistent(transport, seconds))


class _Persistent:
    """See `kubelab.engine.client.transport.Transport`."""

    def __init__(self, transport: Transport, seconds: float) -> None:
        self._transport = transport
        self._seconds = seconds
        self.lines = transport.lines

    async def request(self, request: ApiRequest) -> ApiResponse:
        clock = asyncio.get_running_loop().time
        deadline, pause = clock() + self._seconds, FIRST_PAUSE_SECONDS
        while True:
            try:
                response = await self._transport.request(request)
                if response.status not in PASSING or clock() >= deadline:
                    return response
                said = f"it answers {response.status}"
            except (ConnectionError, TimeoutError) as error:
                if clock() >= deadline:
                    raise
                said = str(error) or "it does not answer"
            log.info("%s %s: %s; asking again", request.method, request.path, said)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def close(self) -> None:
        """The transport is others' as well."""
