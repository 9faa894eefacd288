"""What stops a trace before its first hop."""

from __future__ import annotations


class CannotRead(ValueError):
    """A text is not what it was given as; the sentence says which line and what was expected."""


class CannotTrace(ValueError):
    """The question cannot be asked of this picture; the sentence says what is missing."""
