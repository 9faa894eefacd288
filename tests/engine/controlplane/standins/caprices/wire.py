"""How bytes travel: in pieces, compressed, over connections that end."""

from __future__ import annotations

import asyncio
import gzip
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

from kubelab.engine.apiserver.http import Serving
from kubelab.engine.client import ApiRequest, ApiResponse

COMPRESSED_FROM = 128 * 1024
CUT, HUNG_UP, HUNG_UP_WITHIN = 0.3, 0.1, 0.3


def in_json(request: ApiRequest) -> ApiRequest:
    """Protobuf is spoken by nobody here."""
    accepted = [each for each in request.headers.get("accept", "").split(",") if "protobuf" not in each]
    return replace(request, headers={**request.headers, "accept": ",".join(accepted)})


def carried(chance: random.Random, request: ApiRequest, answer: ApiResponse) -> ApiResponse:
    """Compressed where that was asked for and is worth it; sometimes in pieces."""
    assert isinstance(answer.body, bytes)
    if len(answer.body) > COMPRESSED_FROM and "gzip" in request.headers.get("accept-encoding", ""):
        answer.body = gzip.compress(answer.body, 1)
        answer.headers = {**answer.headers, "content-encoding": "gzip"}
    if answer.body and chance.random() < CUT:
        answer.body = _in_pieces(list(pieces(chance, answer.body)))
    return answer


async def _in_pieces(cut: list[bytes]) -> AsyncIterator[bytes]:
    for piece in cut:
        yield piece


def pieces(chance: random.Random, text: bytes) -> Iterator[bytes]:
    """The bytes, cut anywhere."""
    cuts = {chance.randrange(len(text)) for _ in range(chance.randrange(3))}
    for begin, end in pairwise(sorted({0, *cuts, len(text)})):
        yield text[begin:end]


class Fickle(Serving):
    """Hangs up on who is kept waiting for a next request."""

    chance = random.Random()

    async def _handle(self, request: Any) -> Any:
        answered = await super()._handle(request)
        if self.chance.random() < HUNG_UP:
            loop = asyncio.get_running_loop()
            loop.call_later(self.chance.uniform(0, HUNG_UP_WITHIN), _hang_up, request.protocol)
        return answered


def _hang_up(protocol: Any) -> None:
    if protocol._current_request is None and protocol.transport is not None:
        protocol.transport.close()
