"""An API server that does what upstream's is free to do and ours does not: who copes with it leans on no quirk.

All chance comes from one seed, so that what was drawn can be drawn again.
"""

from __future__ import annotations

import random
from typing import Any

from caprices import golang, refusals, versions, watching, wire
from kubelab.engine.apiserver.status import StatusError
from kubelab.engine.client import ApiRequest, ApiResponse


class Capricious:
    """Stands before an `ApiServer`, for `kubelab.engine.apiserver.http.Serving`."""

    def __init__(self, server: Any, seed: str) -> None:
        self._server = server
        self._refusing, self._watching, self._cutting = (random.Random(f"{seed} {each}") for each in range(3))
        self._json = golang.Json(seed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    async def handle(self, request: ApiRequest) -> ApiResponse:
        """The answer, as another server would have given it."""
        asked = golang.without_nulls(versions.decoded(wire.in_json(request)))
        if refused := refusals.before(self._refusing, request):
            return refused
        if (gone := watching.gone(self._watching, asked)) is not None:
            return gone
        answer = await self._server.handle(asked)
        if not isinstance(answer.body, bytes):
            if watching.is_watch(asked):
                answer.body = watching.moody(self._watching, answer.body, asked, self._json.line, self._revision)
            return answer
        if lost := refusals.after(self._refusing, request, answer):
            return lost
        if answer.headers.get("content-type") == "application/json":
            answer.body = self._json.document(answer.body)
        return wire.carried(self._cutting, request, answer)

    def upgrade(self, request: ApiRequest) -> Any:
        """The same for what becomes a stream: nothing has begun yet."""
        if refused := refusals.before(self._refusing, request):
            raise StatusError(429 if refused.status == 429 else 503, "ServiceUnavailable", "not now")
        return self._server.upgrade(request)

    def _revision(self) -> int:
        return self._server._store.revision
