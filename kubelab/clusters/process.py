"""Starting the engine's process so that it outlives us, and ending it so that nothing of it is left."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TextIO

from kubelab.clusters.descendants import Descendants
from kubelab.engine.control.client import ControlError, call
from kubelab.engine.options import Options
from kubelab.engine.state import StateDir, StateError

DOWN_SECONDS = 4.0
"""How long an engine may take to end by itself before it is killed."""
KILL_SECONDS = 5.0
LONGEST_LOG = 4 << 20
"""Bytes of engine.log that are kept from one start to the next."""


class StartFailed(Exception):
    """The engine did not come up. The message is one sentence."""


class EngineProcess:
    """The engine of one state directory. Whoever starts or stops holds the directory's lock."""

    def __init__(self, state: StateDir) -> None:
        self._state = state

    def start(self, command: Sequence[str], options: Options, *, timeout_seconds: float) -> None:
        """Start it and wait until it says that it is ready; nothing keeps running otherwise.

        Raises `StartFailed`.
        """
        mine, theirs = os.pipe()
        try:
            with self._open_log() as log:
                begin = log.tell()
                process = subprocess.Popen(
                    [*command, *replace(options, ready_fd=theirs).argv()],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=[theirs],
                    cwd="/",
                )
        except OSError as error:
            os.close(mine)
            raise StartFailed(f"The engine cannot be started: {error}.") from error
        finally:
            os.close(theirs)
        threading.Thread(target=process.wait, daemon=True, name="kubelab engine's parent").start()
        family = Descendants(process.pid)
        try:
            said = _read_to_end(mine, timeout_seconds)
            if not said.get("ready"):
                raise StartFailed(said.get("error") or self._why(begin, said))
        except BaseException:
            family.look_again()
            family.kill(KILL_SECONDS)
            raise
        finally:
            os.close(mine)
            family.close()

    def stop(self) -> None:
        """End it, and every process below it; quiet when it does not run. Raises `StateError`."""
        pid = self._state.engine_pid()
        if pid is None:
            return
        family = Descendants(pid)
        try:
            patience = self._ask_to_end(pid)
            left = () if family.wait(patience) else family.kill(KILL_SECONDS)
        finally:
            family.close()
        if left:
            numbers = ", ".join(map(str, left))
            raise StateError(f"The engine's processes {numbers} do not end; end them by hand, then try again.")

    def _ask_to_end(self, pid: int) -> float:
        """How long to wait for its end, in seconds."""
        try:
            call(self._state, "down", timeout_seconds=DOWN_SECONDS / 2)
        except ControlError:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            return DOWN_SECONDS / 4
        return DOWN_SECONDS

    def _open_log(self) -> TextIO:
        path = self._state.log
        if path.exists() and path.stat().st_size > LONGEST_LOG:
            path.unlink()
        return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a")

    def _why(self, begin: int, said: dict[str, Any]) -> str:
        """One sentence with the last line that this start has logged."""
        with open(self._state.log, errors="replace") as log:
            log.seek(begin)
            lines = [line.strip() for line in log if line.strip()]
        what = "did not get ready in time" if said.get("late") else "ended while it was starting"
        last = f": {lines[-1]}" if lines else ""
        return f"The engine {what}{last} (see {self._state.log})."


def _read_to_end(pipe: int, timeout_seconds: float) -> dict[str, Any]:
    """The JSON line from the engine's report; empty when it died, ``{"late": True}`` when the time is up."""
    deadline, text = time.monotonic() + timeout_seconds, b""
    while select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
        more = os.read(pipe, 1 << 16)
        if not more:
            said: dict[str, Any] = json.loads(text) if text else {}
            return said
        text += more
    return {"late": True}
