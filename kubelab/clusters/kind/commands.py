"""Running programs of the machine: always with a time limit, never with something left running."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from kubelab.clusters.base import Finished

TIME_IS_UP = 124
NO_SUCH_PROGRAM = 127


def run(
    argv: Sequence[str],
    *,
    timeout_seconds: float,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    hear: Callable[[str], None] | None = None,
) -> Finished:
    """Run a program to its end. The code is 127 when there is no such program, 124 when the time was up.

    Its words are also added to ``log``; ``hear`` is told each line of its standard error as it comes.
    """
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | (environment or {}),
            start_new_session=True,
        )
    except OSError as error:
        return Finished(NO_SUCH_PROGRAM, "", f"{argv[0]}: {error.strerror}")
    with process:
        heard = _Heard(process, hear) if hear else None
        try:
            out, err = process.communicate(stdin.encode(), timeout=timeout_seconds)
            code = process.returncode
        except subprocess.TimeoutExpired:
            _kill(process)
            out, err = process.communicate()
            code, err = TIME_IS_UP, (err or b"") + f"\n{argv[0]} did not end within {timeout_seconds:g} s.".encode()
        except BaseException:
            _kill(process)
            raise
    if heard is not None:
        err = heard.all() + (err or b"")
    finished = Finished(code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))
    if log is not None:
        _write(log, argv, finished)
    return finished


def last_line(text: str) -> str:
    """What a program said last; kind and the engines say there what went wrong."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


class _Heard:
    """A program's standard error, told line by line while it runs."""

    def __init__(self, process: subprocess.Popen[bytes], hear: Callable[[str], None]) -> None:
        assert process.stderr is not None
        self._lines: list[bytes] = []
        self._thread = threading.Thread(target=self._listen, args=(process.stderr, hear), daemon=True)
        process.stderr = None  # so that nobody else reads it
        self._thread.start()

    def all(self) -> bytes:
        """The whole, when the program has ended."""
        self._thread.join()
        return b"".join(self._lines)

    def _listen(self, pipe: IO[bytes], hear: Callable[[str], None]) -> None:
        with pipe:
            for line in pipe:
                self._lines.append(line)
                hear(line.decode("utf-8", "replace").rstrip())


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The program and what it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _write(log: Path, argv: Sequence[str], finished: Finished) -> None:
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
        file.write(f"$ {' '.join(argv)}\n{finished.stdout}{finished.stderr}[{finished.code}]\n")
