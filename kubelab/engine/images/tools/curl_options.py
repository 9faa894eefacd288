"""The stand-in curl's command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

FLAGS = {
    "s": "silent", "S": "show-error", "k": "insecure", "v": "verbose", "I": "head", "i": "include", "L": "location",
    "f": "fail", "g": "globoff", "N": "no-buffer", "4": "ipv4", "V": "version", "h": "help", "G": "get",
}  # fmt: skip
VALUES = {
    "o": "output", "w": "write-out", "H": "header", "m": "max-time", "X": "request", "d": "data", "A": "user-agent",
    "u": "user", "b": "cookie", "e": "referer",
}  # fmt: skip
LONG_FLAGS = frozenset([*FLAGS.values(), "http1.1", "no-keepalive", "no-progress-meter", "fail-with-body"])
LONG_VALUES = frozenset(
    [*VALUES.values(), "connect-timeout", "resolve", "cacert", "data-raw", "data-binary", "max-redirs", "url"]
)


class Usage(Exception):
    """A mistake on the command line, in curl's words."""


@dataclass
class Options:
    """What was asked for."""

    flags: set[str] = field(default_factory=set)
    values: dict[str, list[str]] = field(default_factory=dict)
    urls: list[str] = field(default_factory=list)

    def has(self, name: str) -> bool:
        """Whether the flag was given."""
        return name in self.flags

    def last(self, name: str, default: str = "") -> str:
        """The value given last."""
        return self.values.get(name, [default])[-1]

    def seconds(self, name: str) -> float | None:
        """A number of seconds; None when it was not given. Raises `Usage`."""
        text = self.last(name)
        try:
            return float(text) if text else None
        except ValueError:
            raise Usage(f"option --{name}: expected a proper numerical parameter") from None

    def _take(self, name: str, value: str) -> None:
        if name == "url":
            self.urls.append(value)
        else:
            self.values.setdefault(name, []).append(value)


def read(words: Sequence[str]) -> Options:
    """Read the command line. Raises `Usage`."""
    options = Options()
    rest = iter(words)
    for word in rest:
        if word.startswith("--") and len(word) > 2:
            _long(options, word[2:], rest)
        elif word.startswith("-") and len(word) > 1:
            _short(options, word[1:], rest)
        else:
            options.urls.append(word)
    return options


def _long(options: Options, name: str, rest: Iterator[str]) -> None:
    if name in LONG_FLAGS:
        options.flags.add(name)
    elif name in LONG_VALUES:
        options._take(name, _next(rest, f"--{name}"))
    else:
        raise Usage(f"option --{name}: is unknown to kubelab's stand-in for curl")


def _short(options: Options, letters: str, rest: Iterator[str]) -> None:
    for index, letter in enumerate(letters):
        if letter in FLAGS:
            options.flags.add(FLAGS[letter])
        elif letter in VALUES:
            options._take(VALUES[letter], letters[index + 1 :] or _next(rest, f"-{letter}"))
            return
        else:
            raise Usage(f"option -{letter}: is unknown to kubelab's stand-in for curl")


def _next(rest: Iterator[str], name: str) -> str:
    try:
        return next(rest)
    except StopIteration:
        raise Usage(f"option {name}: requires parameter") from None
