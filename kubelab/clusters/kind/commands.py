"""Running programs of the machine: always with a time limit, never with something left running."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

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
) -> Finished:
    """Run a program to its end. The code is 127 when there is no such program, 124 when the time was up.

    Its words are also added to ``log``.
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
        try:
            out, err = process.communicate(stdin.encode(), timeout=timeout_seconds)
            code = process.returncode
        except subprocess.TimeoutExpired:
            _kill(process)
            out, err = process.communicate()
            code, err = TIME_IS_UP, err + f"\n{argv[0]} did not end within {timeout_seconds:g} s.".encode()
        except BaseException:
            _kill(process)
            raise
    finished = Finished(code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))
    if log is not None:
        _write(log, argv, finished)
    return finished


def last_line(text: str) -> str:
    """What a program said last; kind and the engines say there what went wrong."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The program and what it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _write(log: Path, argv: Sequence[str], finished: Finished) -> None:
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
        file.write(f"$ {' '.join(argv)}\n{finished.stdout}{finished.stderr}[{finished.code}]\n")
