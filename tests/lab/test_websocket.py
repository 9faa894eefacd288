"""A command that the control plane could not begin is begun again; one that it refuses is not."""

from __future__ import annotations

import pytest
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import ws_client

from kubelab.lab import websocket
from kubelab.lab.errors import CannotRun


class Refused(Exception):
    """As websocket-client tells of a handshake that was answered with something else."""

    def __init__(self, status: int) -> None:
        super().__init__(f"Handshake status {status}")
        self.status_code = status


def opening(monkeypatch, *statuses: int) -> list[int]:
    """The kubernetes client's call, which is refused so often; returns what is still to come."""
    left = list(statuses)

    def call(*_args, **_more):
        if not left:
            return object()
        try:
            raise Refused(left.pop(0))
        except Refused as error:
            raise ApiException(status=0, reason=str(error))  # noqa: B904  (so it does)

    monkeypatch.setattr(ws_client, "websocket_call", call)
    monkeypatch.setattr(websocket, "PAUSES_SECONDS", (0, 0, 0))
    return left


def stream():
    return websocket.WebSocketStream(None, "https://api/exec", [], {}, "web-1")


@pytest.mark.parametrize("status", [429, 503, 504])
def test_what_passes_is_waited_for(monkeypatch, status):
    assert opening(monkeypatch, status, status, status) == [status] * 3
    stream()


def test_but_not_for_ever(monkeypatch):
    left = opening(monkeypatch, *[503] * 9)
    with pytest.raises(CannotRun, match="No command can be run in pod web-1: Handshake status 503"):
        stream()
    assert len(left) == 5


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_a_refusal_is_told_at_once(monkeypatch, status):
    left = opening(monkeypatch, status, 503)
    with pytest.raises(CannotRun, match=f"status {status}"):
        stream()
    assert left == [503]
