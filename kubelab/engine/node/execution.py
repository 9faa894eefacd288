"""Running a command in a container that runs already: probes, hooks, ``kubectl exec``."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from kubelab.engine import images
from kubelab.engine.network.contract import Network, Place, Process, Program
from kubelab.engine.node.clock import Clock, cancel, within
from kubelab.engine.node.pipes import Sink, Streams

MOST_OUTPUT_BYTES = 10 * 1024
"""Of a probe's output, kubelet keeps no more."""
DRAIN_SECONDS = 0.5


class Output(NamedTuple):
    """A command that has ended."""

    code: int
    text: bytes
    """stdout and stderr as they came, cut at `MOST_OUTPUT_BYTES`."""


@dataclass(frozen=True)
class Running:
    """A running container, with all that another command in it needs."""

    place: Place
    image: str
    program: Program
    process: Process

    def command(self, argv: Sequence[str], *, tty: bool = False) -> Program:
        """The program that ``argv`` is in this container."""
        env = {**self.program.env, "TERM": "xterm"} if tty else self.program.env
        entry = images.entry_for(self.image, argv)
        return replace(self.program, argv=list(argv), env=env, entry=entry, join=self.process.id, tty=tty)


async def start(
    network: Network, running: Running, argv: Sequence[str], sink: Sink, *, stdin: bool = False, tty: bool = False
) -> tuple[Process, Streams]:
    """Start ``argv``; the caller closes the streams. Raises `StartFailed`."""
    streams = Streams(sink, tty=tty, stdin=stdin)
    try:
        process = await network.start(
            running.place,
            running.command(argv, tty=tty),
            stdin=streams.stdin,
            stdout=streams.stdout,
            stderr=streams.stderr,
        )
    except BaseException:
        streams.close()
        raise
    streams.give_away()
    return process, streams


async def run(network: Network, clock: Clock, running: Running, argv: Sequence[str], seconds: float) -> Output:
    """Run to the end. Raises TimeoutError, the command killed, and `StartFailed`."""
    text = bytearray()

    def keep(_: str, data: bytes) -> None:
        text.extend(data[: MOST_OUTPUT_BYTES - len(text)])

    process, streams = await start(network, running, argv, keep)
    try:
        try:
            code = await within(clock, seconds, process.wait())
        except BaseException:
            await process.signal(signal.SIGKILL)
            raise
        await drain(streams)
        return Output(code, bytes(text))
    finally:
        streams.close()


async def drain(streams: Streams) -> None:
    """Wait a moment for the last output; a child left behind may hold the pipes open for ever."""
    waiting = asyncio.ensure_future(streams.drained())
    await asyncio.wait([waiting], timeout=DRAIN_SECONDS)
    await cancel(waiting)
