"""A program on a node that is talked with: lines go in, lines come out, for as long as it runs."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Protocol, runtime_checkable

from kubelab.engine.control.client import Call
from kubelab.engine.state import StateDir


class Conversation(Protocol):
    """A running program. It is ended when the conversation is closed, or when whoever holds it dies."""

    def send(self, text: str) -> None:
        """Write to its standard input; quiet when it has ended."""
        ...

    def lines(self, timeout_seconds: float) -> Iterator[str]:
        """Its standard output, line by line, to its end. Raises `TimeoutError`."""
        ...

    @property
    def stderr(self) -> str:
        """What it has written to standard error."""
        ...

    def close(self) -> None:
        """End it."""
        ...


@runtime_checkable
class Talks(Protocol):
    """A node (`kubelab.clusters.base.Node`) whose programs can be talked with."""

    def talk(self, argv: Sequence[str]) -> Conversation:
        """Start a program in the node's network."""
        ...


class Lines:
    """What comes out of a pipe, in lines."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._rest = b""

    def until(self, timeout_seconds: float) -> Iterator[str]:
        """Line by line, to its end. Raises `TimeoutError`."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            while b"\n" in self._rest:
                line, _, self._rest = self._rest.partition(b"\n")
                yield line.decode("utf-8", "replace")
            if not select.select([self._pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"nothing came for {timeout_seconds:g} s")
            more = os.read(self._pipe, 1 << 20)
            if not more:
                return
            self._rest += more


def what_came(pipe: int) -> str:
    """What a pipe holds now, without waiting for more."""
    found = b""
    while select.select([pipe], [], [], 0)[0] and (more := os.read(pipe, 1 << 16)):
        found += more
    return found.decode("utf-8", "replace")


class EmbeddedConversation:
    """A program in a place of the embedded network: its pipes reach to here, the engine only starts it."""

    def __init__(self, state: StateDir, place: str, argv: Sequence[str]) -> None:
        theirs_in, self._stdin = os.pipe()
        self._stdout, theirs_out = os.pipe()
        self._stderr, theirs_err = os.pipe()
        self._lines = Lines(self._stdout)
        try:
            self._call = Call(state, "start", {"place": place, "argv": list(argv)}, (theirs_in, theirs_out, theirs_err))
        except BaseException:
            self._close_pipes()
            raise
        finally:
            for file in (theirs_in, theirs_out, theirs_err):
                os.close(file)

    def send(self, text: str) -> None:
        with suppress(BrokenPipeError):
            os.write(self._stdin, text.encode())

    def lines(self, timeout_seconds: float) -> Iterator[str]:
        return self._lines.until(timeout_seconds)

    @property
    def stderr(self) -> str:
        return what_came(self._stderr)

    def close(self) -> None:
        self._call.close()
        self._close_pipes()

    def _close_pipes(self) -> None:
        for file in (self._stdin, self._stdout, self._stderr):
            os.close(file)
