"""Reading a Corefile: server blocks of directives, each a line with words and perhaps a block of lines.

Errors are worded as CoreDNS words them, as they are what a learner finds in the log after a slip.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s"#]\S*)|(#.*)')
_VARIABLE = re.compile(r"\{\$(\w+)\}|\{%(\w+)%\}")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class CorefileError(ValueError):
    """The Corefile cannot be used; the message says where and why."""


class Line(NamedTuple):
    """One line and where it stands."""

    file: str
    number: int
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """The first word."""
        return self.words[0]

    @property
    def args(self) -> tuple[str, ...]:
        """The words behind it."""
        return self.words[1:]

    def wrong(self, message: str) -> CorefileError:
        """An error that names this place."""
        return CorefileError(f"{self.file}:{self.number} - Error during parsing: {message}")

    def wrong_arguments(self) -> CorefileError:
        """Too many words or too few."""
        return self.wrong(f"Wrong argument count or unexpected line ending after '{self.words[-1]}'")

    def only(self) -> str:
        """The one argument."""
        if len(self.args) != 1:
            raise self.wrong_arguments()
        return self.args[0]

    def number_of(self, text: str) -> int:
        """A whole number that is not negative."""
        if not text.isdecimal():
            raise self.wrong(f"'{text}' is not a number")
        return int(text)

    def seconds(self, text: str) -> float:
        """A duration as Go writes them (``1m30s``), in seconds."""
        parts = _DURATION.findall(text)
        if not parts or "".join(map("".join, parts)) != text:
            raise self.wrong(f'time: invalid duration "{text}"')
        return sum(float(amount) * _SECONDS[unit] for amount, unit in parts)


class Directive(NamedTuple):
    """A plugin's line and the lines of its block."""

    line: Line
    block: tuple[Line, ...] = ()


@dataclass(frozen=True)
class ServerBlock:
    """Directives for some zones."""

    keys: Line
    """``.:53``, ``example.test`` …"""
    directives: tuple[Directive, ...]


def parse(text: str, file: str = "Corefile") -> tuple[ServerBlock, ...]:
    """The server blocks. Raises `CorefileError`."""
    lines = list(_lines(text, file))
    found, at = [], 0
    while at < len(lines):
        block, at = _server_block(lines, at)
        found.append(block)
    return tuple(found)


def _lines(text: str, file: str) -> Iterator[Line]:
    for number, written in enumerate(text.splitlines(), 1):
        words = []
        for quoted, plain, comment in _WORD.findall(_VARIABLE.sub(_environment, written)):
            if comment:
                break
            words.append(plain or quoted.replace('\\"', '"'))
        if words:
            yield Line(file, number, tuple(words))


def _environment(found: re.Match[str]) -> str:
    return os.environ.get(found[1] or found[2], "")


def _server_block(lines: list[Line], at: int) -> tuple[ServerBlock, int]:
    first = lines[at]
    words: list[str] = []
    while words[-1:] != ["{"]:
        if at == len(lines):
            raise lines[-1].wrong("Unexpected EOF")
        words += lines[at].words
        at += 1
    keys = tuple(key for word in words[:-1] for key in word.split(",") if key)
    if not keys or "{" in keys or "}" in keys:
        raise first.wrong(f"Syntax error: Unexpected token '{first.words[0]}', expecting a zone")
    directives = []
    while at < len(lines) and lines[at].words != ("}",):
        directive, at = _directive(lines, at)
        directives.append(directive)
    if at == len(lines):
        raise lines[-1].wrong("Unexpected EOF")
    return ServerBlock(first._replace(words=keys), tuple(directives)), at + 1


def _directive(lines: list[Line], at: int) -> tuple[Directive, int]:
    line = lines[at]
    if line.name in ("{", "}"):
        raise line.wrong(f"Syntax error: Unexpected token '{line.name}', expecting a directive")
    at += 1
    if line.words[-1] != "{":
        return Directive(line), at
    block = []
    while at < len(lines) and lines[at].words != ("}",):
        block.append(lines[at])
        at += 1
    if at == len(lines):
        raise lines[-1].wrong("Unexpected EOF")
    return Directive(line._replace(words=line.words[:-1]), tuple(block)), at + 1
