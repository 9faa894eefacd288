"""A command in a container, over the exec WebSocket (KEP-4006, subprotocols v4 and v5.channel.k8s.io)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kubelab.lab.errors import PAUSES_SECONDS, CannotRun

_NOT_NOW = (429, 503, 504)
"""Said before anything is begun; a 500 is also what a node says that has no such container."""
_STDIN, _STDOUT, _STDERR, _STATUS = 0, 1, 2, 3


class WebSocketStream:
    """Standard streams of one command. Not to be shared between threads, except for `send` and `close`."""

    _BROKEN = "The connection to pod {pod} broke off before the command ended; run the cell again."

    def __init__(self, configuration: Any, url: str, query: list[tuple[str, str]], headers: dict[str, str], pod: str):
        self._pod = pod
        self._socket = _opened(configuration, url, query, headers, pod)
        self.stderr = ""
        self.code = -1

    def send(self, text: str) -> None:
        with self._broken_off():
            self._socket.write_stdin(text)

    def lines(self, timeout_seconds: float) -> Iterator[str]:
        deadline = time.monotonic() + timeout_seconds
        rest = ""
        while self._socket.is_open():
            left = deadline - time.monotonic()
            if left <= 0:
                self.close()
                raise TimeoutError(f"the command in pod {self._pod} did not end within {timeout_seconds:g} s")
            with self._broken_off():
                self._socket.update(timeout=min(left, 1))
            *whole, rest = (rest + self._take(_STDOUT)).split("\n")
            yield from whole
        rest += self._take(_STDOUT)
        if rest:
            yield from rest.splitlines()
        self._finish()

    def close(self) -> None:
        with self._broken_off():
            self._socket.close()
            # An end that the server began leaves the file descriptor open.
            self._socket.sock.shutdown()

    @contextmanager
    def _broken_off(self) -> Iterator[None]:
        """Turn a connection that is gone into a sentence."""
        from websocket import WebSocketException

        try:
            yield
        except (OSError, WebSocketException) as error:
            raise CannotRun(self._BROKEN.format(pod=self._pod)) from error

    def _take(self, channel: int) -> str:
        """What has arrived on a channel, without waiting."""
        if channel == _STDOUT:
            self.stderr += self._socket.read_channel(_STDERR)
        return self._socket.read_channel(channel)

    def _finish(self) -> None:
        status = self._take(_STATUS)
        if not status:
            raise CannotRun(
                f"The connection to pod {self._pod} broke off before the command ended; run the cell again."
            )
        self.code = _exit_code(json.loads(status), self._pod)


def _opened(configuration: Any, url: str, query: list[tuple[str, str]], headers: dict[str, str], pod: str) -> Any:
    """The connection; asked for again when the control plane could not begin. Raises `CannotRun`."""
    from kubernetes.client.exceptions import ApiException
    from kubernetes.stream import ws_client

    for pause in (*PAUSES_SECONDS, None):
        try:
            return ws_client.websocket_call(
                configuration, "get", url, query_params=query, headers=headers,
                _preload_content=False, capture_all=False,
            )  # fmt: skip
        except ApiException as error:
            status = getattr(error.__context__, "status_code", 0)  # of the refused handshake
            if pause is None or status not in _NOT_NOW:
                raise CannotRun(f"No command can be run in pod {pod}: {_first_line(error.reason)}.") from error
            time.sleep(pause)
    raise AssertionError("unreachable")


def _exit_code(status: dict[str, Any], pod: str) -> int:
    """The exit code in the Status that ends an exec stream."""
    if status.get("status") == "Success":
        return 0
    for cause in status.get("details", {}).get("causes", []):
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise CannotRun(f"No command can be run in pod {pod}: {_first_line(status.get('message', 'no reason given'))}.")


def _first_line(text: object) -> str:
    return str(text).strip().split("\n")[0].rstrip(".")
