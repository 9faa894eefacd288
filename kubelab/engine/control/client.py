"""The client's side of the control socket: blocking, with time limits, standard library only."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Sequence
from typing import Any

from kubelab.engine.control.address import short_address
from kubelab.engine.state import StateDir


class ControlError(Exception):
    """The engine did not do what it was asked. The message is one sentence."""


class EngineGone(ControlError):
    """Nobody answers: the engine is not running, or ended during the call."""


class EngineHangs(ControlError):
    """The engine did not answer in time."""


class Call:
    """One call under way. Usable as a context manager; closing it early ends the call in the engine too."""

    def __init__(self, state: StateDir, op: str, arguments: dict[str, Any], files: Sequence[int] = ()) -> None:
        self._op = op
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._rest = b""
        self._socket.settimeout(5)
        request = json.dumps({"op": op, "arguments": arguments}).encode() + b"\n"
        try:
            with short_address(state.control) as address:
                self._socket.connect(address)
            sent = socket.send_fds(self._socket, [request], list(files)) if files else 0
            if left := request[sent:]:  # to send nothing fails when the answer is there and the other side has closed
                self._socket.sendall(left)
        except TimeoutError:
            self._socket.close()
            raise EngineHangs("The engine does not answer on its control socket; `kubelab up` restarts it.") from None
        except OSError as error:
            self._socket.close()
            raise EngineGone("The engine is not running; `kubelab up` starts it.") from error

    def fileno(self) -> int:
        """The socket's descriptor, readable when the answer has come."""
        return self._socket.fileno()

    def signal(self, number: int) -> None:
        """Send a signal to what the call runs; quiet when the call is over."""
        try:
            self._socket.sendall(json.dumps({"signal": number}).encode() + b"\n")
        except OSError:
            return

    def result(self, timeout_seconds: float | None) -> dict[str, Any]:
        """Wait for the answer (``None``: as long as it takes). Raises `ControlError`."""
        line = self._line(None if timeout_seconds is None else time.monotonic() + timeout_seconds)
        answer = json.loads(line)
        if "error" in answer:
            raise ControlError(answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    def _line(self, deadline: float | None) -> bytes:
        while b"\n" not in self._rest:
            left = None if deadline is None else max(0.001, deadline - time.monotonic())
            self._socket.settimeout(left)
            try:
                more = self._socket.recv(1 << 20)
            except TimeoutError:
                raise EngineHangs(f"The engine did not answer {self._op!r} in time.") from None
            except OSError as error:
                raise EngineGone(f"The engine ended during {self._op!r}.") from error
            if not more:
                raise EngineGone(f"The engine ended during {self._op!r}.")
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def __enter__(self) -> Call:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def call(
    state: StateDir, op: str, arguments: dict[str, Any] | None = None, *, timeout_seconds: float | None = 5
) -> dict[str, Any]:
    """Ask the engine for something, and wait for its answer. Raises `ControlError`."""
    with Call(state, op, arguments or {}) as pending:
        return pending.result(timeout_seconds)
