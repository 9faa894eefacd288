"""Answers of the API that come line by line for as long as somebody reads: watches, and logs that are followed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

PIECE_BYTES = 65536


class LongAnswer:
    """The lines of a response that was asked for without its content (urllib3's ``preload_content=False``)."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self._closing = threading.Event()

    def __iter__(self) -> Iterator[str]:
        from urllib3.exceptions import HTTPError

        kept = b""
        try:
            for piece in self._response.stream(PIECE_BYTES):
                *whole, kept = (kept + piece).split(b"\n")
                yield from (line.decode("utf-8", "replace") for line in whole)
        except (HTTPError, OSError):
            # Who hangs up reads an answer that is cut off.
            if not self._closing.is_set():
                raise
        finally:
            self._response.close()
        if kept:
            yield kept.decode("utf-8", "replace")

    def close(self) -> None:
        """Hang up. Who is reading in another thread comes to the end."""
        self._closing.set()
        try:
            self._response.shutdown()
        except (ValueError, RuntimeError, OSError):
            return  # it has come to its end by itself
