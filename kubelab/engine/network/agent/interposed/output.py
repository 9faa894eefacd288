"""What a tool that is answered for would have written."""

from __future__ import annotations

from typing import NamedTuple


class Output(NamedTuple):
    """Its exit code and what it writes to its two outputs."""

    code: int
    stdout: str = ""
    stderr: str = ""
