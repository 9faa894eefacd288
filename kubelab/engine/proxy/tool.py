"""Running the system's tools in the node's network; how that is done is not the proxy's business."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol


class Finished(Protocol):
    """A tool that was run to its end. Code 127: there is no such tool."""

    @property
    def code(self) -> int: ...

    @property
    def stdout(self) -> bytes: ...

    @property
    def stderr(self) -> bytes: ...


Run = Callable[[Sequence[str], bytes], Awaitable[Finished]]
"""``await run(argv, stdin)`` in the node's network."""

NO_SUCH_TOOL = 127
