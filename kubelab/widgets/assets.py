"""The widgets' JavaScript and CSS: plain files beside the Python, joined without a build step."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def joined(*names: str) -> str:
    """The texts of some files, one after the other: ``joined("dom.js", "packet_walk.js")``."""
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)
