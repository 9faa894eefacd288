"""A program's standard streams: pipes or a terminal, read without a thread."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import struct
import termios
from collections.abc import Callable

CHUNK_BYTES = 64 * 1024

Sink = Callable[[str, bytes], None]
"""Called with ``stdout`` or ``stderr`` and what came."""


class Streams:
    """The agent's ends of a program's streams, and the program's until `give_away`.

    Make it inside the event loop; `close` is a must.
    """

    def __init__(self, sink: Sink, *, tty: bool = False, stdin: bool = False) -> None:
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._reading: dict[int, str] = {}
        self._drained = self._loop.create_future()
        self._paused = False
        self.stdin: int | None = None
        self.stdout: int | None = None
        self.stderr: int | None = None
        self._input: int | None = None
        self._terminal: int | None = None
        if tty:
            self._open_terminal()
        else:
            self._open_pipes(stdin)

    def _open_terminal(self) -> None:
        self._terminal, self.stdin = pty.openpty()
        self.stdout = self.stderr = self.stdin
        self._input = self._terminal
        self._read(self._terminal, "stdout")

    def _open_pipes(self, stdin: bool) -> None:
        for name in ("stdout", "stderr"):
            ours, theirs = os.pipe2(os.O_CLOEXEC)
            setattr(self, name, theirs)
            self._read(ours, name)
        if stdin:
            self.stdin, self._input = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(self._input, False)

    def _read(self, file: int, name: str) -> None:
        os.set_blocking(file, False)
        self._reading[file] = name
        self._loop.add_reader(file, self._readable, file)

    def _readable(self, file: int) -> None:
        try:
            data = os.read(file, CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:  # a terminal whose last program has gone
            data = b""
        if data:
            self._sink(self._reading[file], data)
            return
        self._stop_reading(file)

    def _stop_reading(self, file: int) -> None:
        self._loop.remove_reader(file)
        del self._reading[file]
        if file != self._terminal:
            os.close(file)
        if not self._reading and not self._drained.done():
            self._drained.set_result(None)

    def give_away(self) -> None:
        """Close the program's ends, once it has been started with them."""
        for file in {self.stdin, self.stdout, self.stderr} - {None}:
            assert file is not None
            os.close(file)
        self.stdin = self.stdout = self.stderr = None

    async def write(self, data: bytes) -> None:
        """Feed the program's stdin, waiting while it is full; quiet when nobody reads it."""
        while data and self._input is not None:
            try:
                data = data[os.write(self._input, data) :]
            except BlockingIOError:
                await self._writable(self._input)
            except OSError:
                return

    async def _writable(self, file: int) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_writer(file, lambda: None if ready.done() else ready.set_result(None))
        try:
            await ready
        finally:
            self._loop.remove_writer(file)

    async def end_input(self) -> None:
        """The end of stdin: closes the pipe, or types Ctrl-D at the terminal."""
        if self._terminal is not None:
            await self.write(b"\x04")
        elif self._input is not None:
            file, self._input = self._input, None
            os.close(file)

    def resize(self, width: int, height: int) -> None:
        """The terminal's new size, in characters; nothing without one."""
        if self._terminal is not None:
            fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def pause(self) -> None:
        """Stop reading until `resume`, so that a slow client slows the program down and fills no memory."""
        if not self._paused:
            self._paused = True
            for file in self._reading:
                self._loop.remove_reader(file)

    def resume(self) -> None:
        """Read on."""
        if self._paused:
            self._paused = False
            for file in self._reading:
                self._loop.add_reader(file, self._readable, file)

    async def drained(self) -> None:
        """Wait until the program and its children have closed both streams."""
        await asyncio.shield(self._drained)

    def close(self) -> None:
        """Close everything that is still open, reading first what is in the pipes already."""
        self.give_away()
        for file in list(self._reading):
            while file in self._reading and not self._paused and self._pending(file):
                self._readable(file)
            if file in self._reading:
                self._stop_reading(file)
        if self._terminal is not None:
            os.close(self._terminal)
        elif self._input is not None:
            os.close(self._input)
        self._terminal = self._input = None

    @staticmethod
    def _pending(file: int) -> bool:
        try:
            return fcntl.ioctl(file, termios.FIONREAD, b"\0\0\0\0") != b"\0\0\0\0"
        except OSError:
            return False
