"""Command-line flags, durations and log lines as Go programs have them."""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Sequence
from typing import Any, NoReturn

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"([0-9]*\.?[0-9]+)(h|ms|us|µs|ns|m|s)")


class Flags(argparse.ArgumentParser):
    """Flags of one command; a mistake ends the program with 1 and a line that names it."""

    def __init__(self, command: str) -> None:
        super().__init__(prog=f"app {command}", allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and exit with 1."""
        log(f"Error: {message}")
        self.print_usage()
        raise SystemExit(1)

    def flag(self, name: str, default: Any, text: str) -> None:
        """A flag of the default's type. ``--name``, ``--name=true`` and ``--name=false`` all work for a bool."""
        if isinstance(default, bool):
            self.add_argument(f"--{name}", type=_truth, nargs="?", const=True, default=default, help=text)
        else:
            self.add_argument(f"--{name}", type=type(default), default=default, help=text)

    def read(self, args: Sequence[str]) -> argparse.Namespace:
        """The flags' values; ``http-port`` is ``http_port``."""
        return self.parse_args(list(args))


def _truth(text: str) -> bool:
    if text.lower() in ("true", "t", "1"):
        return True
    if text.lower() in ("false", "f", "0"):
        return False
    raise ValueError(text)


def duration(text: str) -> float:
    """Seconds in a Go duration: ``1m30s``, ``500ms``, ``0``. Raises ValueError."""
    if text in ("0", "+0", "-0"):
        return 0.0
    sign = -1.0 if text.startswith("-") else 1.0
    body = text.lstrip("+-")
    parts = _DURATION.findall(body)
    if not parts or "".join(number + unit for number, unit in parts) != body:
        raise ValueError(f"time: invalid duration {go_quote(text)}")
    return sign * sum(float(number) * _UNITS[unit] for number, unit in parts)


def go_quote(text: str) -> str:
    """A string as Go's ``%q`` shows it, for the plain ones."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def log(*lines: str) -> None:
    """Lines on stderr, each with date and time, in one write."""
    stamp = time.strftime("%Y/%m/%d %H:%M:%S ")
    os.write(2, "".join(f"{stamp}{line}\n" for line in lines).encode(errors="replace"))
