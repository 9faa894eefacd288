"""A container's log on disk, in the container runtimes' format: ``<time> <stream> <F|P> <line>``.

Source: kubernetes/design-proposals, "CRI: Dockershim/kubelet log format"; ``P`` marks a part of a longer line.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

ROTATE_BYTES = 10 * 1024 * 1024
"""kubelet's ``containerLogMaxSize``."""
MOST_FILES = 5
"""kubelet's ``containerLogMaxFiles``."""
LONGEST_LINE = 16 * 1024
MOST_UNTOLD = 64
"""Chunks that are kept for the first who listens."""

Tap = Callable[[str, bytes], None]
"""Called with the stream's name and its bytes as they come: that is ``kubectl attach``."""


class LogFile:
    """The log of one run of a container. Writing is one ``write`` a chunk; nobody reading costs nothing."""

    def __init__(self, path: Path, *, awaited: bool = False) -> None:
        """``awaited``: somebody is about to listen, and wants to hear what is said until then as well."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._size = os.fstat(self._file).st_size
        self._rest: dict[str, bytes] = {}
        self._waiting: set[asyncio.Future[None]] = set()
        self._taps: list[Tap] = []
        self._untold: deque[tuple[str, bytes]] | None = deque(maxlen=MOST_UNTOLD) if awaited else None
        self._lossless = True
        self.closed = False

    def write(self, stream: str, data: bytes) -> None:
        """Take in what the container wrote to ``stdout`` or ``stderr``."""
        for tap in list(self._taps):
            tap(stream, data)
        if self._untold is not None:
            self._untold.append((stream, data))
        head, newline, rest = (self._rest.get(stream, b"") + data).rpartition(b"\n")
        prefix = f"{_now()} {stream} ".encode()
        out = b""
        if newline:
            out = b"".join([prefix + b"F " + line + b"\n" for line in head.split(b"\n")])
        while len(rest) >= LONGEST_LINE:
            out += prefix + b"P " + rest[:LONGEST_LINE] + b"\n"
            rest = rest[LONGEST_LINE:]
        self._rest[stream] = rest
        if out:
            self._append(out)

    def _append(self, data: bytes) -> None:
        if self._size and self._size + len(data) > ROTATE_BYTES:
            self._rotate()
        try:
            self._size += os.write(self._file, data)
            self._lossless = True
        except OSError as error:  # a full disk costs a container its log, not its life
            if self._lossless:
                log.warning("%s cannot be written, and lacks lines from now on: %s", self.path, error.strerror)
            self._lossless = False
        self._wake()

    def _rotate(self) -> None:
        os.rename(self.path, f"{self.path}.{time.time_ns()}")
        os.close(self._file)
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._size = 0
        for old in sorted(self.path.parent.glob(f"{self.path.name}.*"))[: -(MOST_FILES - 1)]:
            old.unlink(missing_ok=True)

    def close(self) -> None:
        """Write what is left of unfinished lines, and end the readers."""
        if self.closed:
            return
        for stream, rest in self._rest.items():
            if rest:
                self._append(f"{_now()} {stream} P ".encode() + rest + b"\n")
        self.closed = True
        os.close(self._file)
        self._wake()

    def tap(self, listener: Tap) -> Callable[[], None]:
        """Hand every chunk to ``listener`` as well; answers what ends that."""
        for stream, data in self._untold or ():
            listener(stream, data)
        self._untold = None
        self._taps.append(listener)
        return lambda: self._taps.remove(listener)

    def was_read(self) -> None:
        """Somebody has read the log to here: kubectl does so since 1.36 before it attaches, and wants nothing twice."""
        if self._untold is not None:
            self._untold = deque([item for item in self._rest.items() if item[1]], maxlen=MOST_UNTOLD)

    async def changed(self) -> None:
        """Wait for the next line, or the end; returns at once when closed."""
        if self.closed:
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            await waiting
        finally:
            self._waiting.discard(waiting)

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)


def _now() -> str:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09d}Z"
