"""One learner's names and numbers: the same every time for this learner, different for the next."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

REFERENCE = "reference"
"""The seed of the outputs that are stored in the notebooks."""


class Seed:
    """Draws that depend on nothing but the learner's seed and what the draw is for."""

    def __init__(self, text: str) -> None:
        self._text = text

    def number(self, purpose: str, low: int, high: int) -> int:
        """A number from low to high, both included."""
        digest = hashlib.sha256(f"{self._text}\0{purpose}".encode()).digest()
        return low + int.from_bytes(digest[:8], "big") % (high - low + 1)

    def choice(self, purpose: str, options: Sequence[str]) -> str:
        """One of the options."""
        return options[self.number(purpose, 0, len(options) - 1)]

    def name(self, purpose: str) -> str:
        """A name such as ``calm-heron``, fit for a label, a Service or a host (RFC 1123)."""
        return f"{self.choice(purpose + '/first', _ADJECTIVES)}-{self.choice(purpose + '/second', _BIRDS)}"


_ADJECTIVES = (
    "amber", "brave", "calm", "clever", "coral", "eager", "early", "gentle", "golden", "happy", "ivory", "jolly",
    "keen", "lively", "lucky", "mellow", "merry", "noble", "olive", "proud", "quick", "quiet", "rapid", "rosy",
    "silver", "sunny", "swift", "tidy", "violet", "warm", "wise", "witty",
)  # fmt: skip
_BIRDS = (
    "bunting", "chough", "crane", "curlew", "dipper", "dove", "egret", "falcon", "finch", "grebe", "heron", "hoopoe",
    "ibis", "jay", "kestrel", "lark", "linnet", "magpie", "martin", "merlin", "nuthatch", "oriole", "osprey", "owl",
    "petrel", "pipit", "plover", "robin", "siskin", "starling", "swallow", "wren",
)  # fmt: skip
