"""What was noticed about a request, as the Warning headers that kubectl shows (RFC 7234, section 5.5; KEP-1693)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def warning_header(texts: Iterable[str]) -> str:
    """All of them in one header, each once; empty when there is nothing to say.

    A text with control characters is left out, as upstream does: no header can have them.
    """
    return ", ".join(f"299 - {_quoted(text)}" for text in dict.fromkeys(texts) if text and not _controls(text))


def _controls(text: str) -> bool:
    return any(unicodedata.category(char) == "Cc" for char in text)


def _quoted(text: str) -> str:
    plain = text.encode("ascii", "backslashreplace").decode().replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'
