"""The channels of ``kubectl exec`` and ``attach`` over one WebSocket, as v4 and v5.channel.k8s.io number them.

Source: kubernetes.io, KEP-4006 "Transition from SPDY to WebSockets".
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol

from kubelab.engine.client import Object

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")


class Message(NamedTuple):
    """One frame: the first byte of a WebSocket message, and the rest."""

    channel: int
    data: bytes


class Channels(Protocol):
    """The client's side of a stream, over a WebSocket or in a test."""

    async def send(self, channel: int, data: bytes) -> None:
        """Send a frame; quiet when the client has gone."""
        ...

    def __aiter__(self) -> AsyncIterator[Message]:
        """The client's frames until it goes."""
        ...


def exit_status(code: int) -> bytes:
    """The Status that tells how a command ended, for the channel ERROR."""
    if code == 0:
        return json.dumps({"metadata": {}, "status": "Success"}).encode()
    message = f"command terminated with non-zero exit code: exit status {code}"
    causes = [{"reason": "ExitCode", "message": str(code)}]
    return _failure("NonZeroExitCode", message, {"causes": causes})


def internal_error(message: str) -> bytes:
    """The Status for a command that could not be run, in the words of apimachinery's NewInternalError."""
    return _failure("InternalError", f"Internal error occurred: {message}", {}, code=500)


def _failure(reason: str, message: str, details: Object, *, code: int | None = None) -> bytes:
    status: Object = {"metadata": {}, "status": "Failure", "message": message, "reason": reason, "details": details}
    if code is not None:
        status["code"] = code
    return json.dumps(status).encode()


def size(data: bytes) -> tuple[int, int]:
    """Width and height in a RESIZE frame. Raises ValueError."""
    value = json.loads(data)
    return int(value["Width"]), int(value["Height"])
