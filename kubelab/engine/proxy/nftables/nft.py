"""The program ``nft`` in a node, and transactions of a length that it and the kernel take."""

from __future__ import annotations

import logging

from kubelab.engine.proxy.backend import LoadError
from kubelab.engine.proxy.nftables.sync import LONGEST, Sync
from kubelab.engine.proxy.tool import NO_SUCH_TOOL, Run

log = logging.getLogger(__name__)

_TOO_LONG = "Message too long"


class Nft:
    """``wants`` names what needs the program, for who has not got it."""

    def __init__(self, run: Run, wants: str) -> None:
        self._run = run
        self._wants = wants
        self._longest = LONGEST

    async def __call__(self, *arguments: str, stdin: str = "") -> str:
        """Run it; what it printed. Raises `LoadError`."""
        done = await self._run(["nft", *arguments], stdin.encode())
        if done.code == NO_SUCH_TOOL:
            raise LoadError(
                f"{self._wants} needs the program nft, which is not installed (in Debian: package nftables)"
            )
        if done.code != 0:
            said = done.stderr.decode(errors="replace").strip() or "it said nothing"
            raise LoadError(f"nft ended with code {done.code}: {said}")
        return done.stdout.decode()

    async def feed(self, sync: Sync) -> None:
        """In one transaction if it is short, else in several. Raises `LoadError`."""
        waiting = sync.pieces(self._longest)
        while waiting:
            piece = waiting[0]
            try:
                await self("-f", "-", stdin=piece.text)
            except LoadError as error:
                if _TOO_LONG not in str(error) or len(piece.lines) == 1:
                    raise
                self._longest = min(self._longest, len(piece.text)) // 2
                log.info("a transaction is too long for the kernel; trying with %d characters", self._longest)
                rest = tuple(block for each in waiting for block in each.blocks)
                waiting = Sync(rest, ()).pieces(self._longest)
            else:
                waiting.pop(0)
