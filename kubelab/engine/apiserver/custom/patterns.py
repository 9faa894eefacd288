"""Go's regular expressions (RE2), read by Python's engine."""

from __future__ import annotations

import re
from functools import lru_cache

_POSIX = {
    "alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "space": r"\s",
    "word": r"\w", "xdigit": "0-9A-Fa-f", "punct": r"!-/:-@\[-`{-~", "blank": r" \t",
}  # fmt: skip
_TOKEN = re.compile(r"\\[zQE]|\\.|\[:(\w+):\]|\[\^?\]?|\]|\$")


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    r"""The expression with RE2's meaning: ``$`` and ``\z`` are the very end, classes are ASCII. Raises `re.error`."""
    in_class = False

    def translate(token: re.Match[str]) -> str:
        nonlocal in_class
        text = token[0]
        if text == r"\z" or (text == "$" and not in_class):
            return r"\Z"
        if token[1]:
            return _POSIX.get(token[1], text) if in_class else text
        if text.startswith("["):
            if in_class:
                return "\\" + text
            in_class = True
        elif text == "]":
            in_class = False
        return text

    return re.compile(_TOKEN.sub(translate, pattern), re.ASCII)


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found anywhere in the text."""
    return compiled(pattern).search(text) is not None
