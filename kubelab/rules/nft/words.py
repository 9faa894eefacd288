"""Single words of nftables' language: numbers, ranges, prefixes, names in quotes."""

from __future__ import annotations

import re
from typing import Any

NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+")
_RANGE = re.compile(r"([0-9a-fA-F.:]+)-([0-9a-fA-F.:]+)")
_PREFIX = re.compile(r"([0-9a-fA-F.:]+)/(\d+)")

Json = Any
"""A value as ``json.loads`` makes it."""


def unquote(word: str) -> str:
    """A word without its quotes."""
    return word[1:-1] if word.startswith('"') else word


def atom(word: str) -> Json:
    """What one word stands for."""
    if word.startswith('"'):
        return unquote(word)
    if NUMBER.fullmatch(word):
        return int(word, 0)
    if found := _PREFIX.fullmatch(word):
        return {"prefix": {"addr": found[1], "len": int(found[2])}}
    if found := _RANGE.fullmatch(word):
        return {"range": [atom(found[1]), atom(found[2])]}
    return word
