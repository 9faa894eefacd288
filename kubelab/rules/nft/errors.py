"""What is wrong with a command for nftables, in the words of ``nft`` 1.0.6."""

from __future__ import annotations

NO_SUCH = "Could not process rule: No such file or directory"
EXISTS = "Could not process rule: File exists"
BUSY = "Could not process rule: Device or resource busy"
NOT_SUPPORTED = "Could not process rule: Operation not supported"
TOO_DEEP = "Could not process rule: Too many links"


class NftError(Exception):
    """A command was not understood or cannot be carried out. ``str()`` is what ``nft`` writes to stderr.

    ``line`` and ``column`` count from 1, 0 where the whole is meant.
    """

    def __init__(self, reason: str, text: str = "", line: int = 0, column: int = 0, width: int = 1) -> None:
        where = f"/dev/stdin:{line}:{column}-{column + width - 1}: " if line else ""
        lines = text.splitlines()
        shown = lines[line - 1] if 0 < line <= len(lines) else text
        marks = f"\n{shown}\n{' ' * max(0, column - 1)}{'^' * width}" if shown else ""
        super().__init__(f"{where}Error: {reason}{marks}")
        self.reason = reason


class NotUnderstood(Exception):
    """Words that this reader does not know."""
