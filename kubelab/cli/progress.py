"""What takes a while, on standard error: a line that moves on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Yields what is to be called with each step, in a few words; a sentence that ends with a full stop stays."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with console.status("…") as status:

        def say(step: str) -> None:
            if step.endswith(".") or not console.is_terminal:
                console.print(Text(f"  {step}"))
            else:
                status.update(Text(step))

        yield say
