"""Reading a container's log as ``kubectl logs`` asks for it (core/v1 PodLogOptions)."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from kubelab.engine.node.clock import parse
from kubelab.engine.node.log_file import LogFile

CHUNK_BYTES = 64 * 1024


class BadLogOptions(ValueError):
    """The options contradict each other or cannot be read."""


@dataclass(frozen=True)
class LogOptions:
    """What to read."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since: datetime | None = None
    limit_bytes: int | None = None

    @classmethod
    def from_query(cls, query: Mapping[str, str], now: datetime) -> LogOptions:
        """From a URL's query. Raises `BadLogOptions`."""
        try:
            tail, limit = _number(query, "tailLines", 0), _number(query, "limitBytes", 1)
            seconds = _number(query, "sinceSeconds", 1)
            if seconds is not None and query.get("sinceTime"):
                raise BadLogOptions("at most one of `sinceTime` or `sinceSeconds` may be specified")
            since = parse(query["sinceTime"]) if query.get("sinceTime") else None
        except BadLogOptions:
            raise
        except ValueError as error:
            raise BadLogOptions(str(error)) from error
        if seconds is not None:
            since = now - timedelta(seconds=seconds)
        flags = {name: query.get(name, "").lower() in ("true", "1") for name in ("follow", "previous", "timestamps")}
        return cls(**flags, tail_lines=tail, since=since, limit_bytes=limit)


def _number(query: Mapping[str, str], name: str, least: int) -> int | None:
    if not query.get(name):
        return None
    try:
        number = int(query[name])
    except ValueError:
        raise BadLogOptions(f'{name}: "{query[name]}" is not a number') from None
    if number < least:
        raise BadLogOptions(f"{name}: must be at least {least}")
    return number


async def read(path: Path, options: LogOptions, live: LogFile | None) -> AsyncIterator[bytes]:
    """Yield the log's text. With ``follow`` and a ``live`` log it goes on until that one is closed."""
    left = options.limit_bytes
    async for chunk in _texts(path, options, live):
        if left is not None:
            chunk = chunk[:left]
            left -= len(chunk)
        if chunk:
            yield chunk
        if left == 0:
            return


async def _texts(path: Path, options: LogOptions, live: LogFile | None) -> AsyncIterator[bytes]:
    file = _open(path)
    if file is None:
        return
    try:
        if options.tail_lines is not None:
            _seek_to_tail(file, options.tail_lines)
        while True:
            while chunk := _next(file, options):
                yield chunk
            if live is not None and options.tail_lines is None and options.since is None:
                live.was_read()
            if not options.follow or live is None:
                return
            if _replaced(file, path):
                file.close()
                file = _open(path) or io.BytesIO()
                continue
            if live.closed:
                while chunk := _next(file, options):
                    yield chunk
                return
            await live.changed()
    finally:
        file.close()


def _open(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _next(file: BinaryIO, options: LogOptions) -> bytes:
    """The text of some more whole lines; empty at the end. Lines before ``since`` are skipped."""
    while lines := file.readlines(CHUNK_BYTES):
        if not lines[-1].endswith(b"\n"):  # a line that is being written
            file.seek(-len(lines.pop()), io.SEEK_CUR)
        text = b"".join([_text(line, options) for line in lines])
        if text or not lines:
            return text
    return b""


def _text(line: bytes, options: LogOptions) -> bytes:
    time, _, rest = line.partition(b" ")
    _, _, rest = rest.partition(b" ")
    kind, _, content = rest.partition(b" ")
    if options.since is not None and parse(time.decode()) < options.since:
        return b""
    if kind == b"P":
        content = content.removesuffix(b"\n")
    return time + b" " + content if options.timestamps else content


def _replaced(file: BinaryIO, path: Path) -> bool:
    try:
        return not os.path.samestat(os.fstat(file.fileno()), path.stat())
    except (FileNotFoundError, io.UnsupportedOperation):
        return False


def _seek_to_tail(file: BinaryIO, lines: int) -> None:
    """Leave the file at the start of its last ``lines`` lines, read backwards block by block."""
    position = end = file.seek(0, io.SEEK_END)
    while position > 0 and lines > 0:
        size = min(CHUNK_BYTES, position)
        position -= size
        file.seek(position)
        block = file.read(size)
        at = len(block) - (position + size == end)  # the last line's own end does not count
        while lines > 0 and (at := block.rfind(b"\n", 0, at)) >= 0:
            lines -= 1
        if lines == 0:
            position += at + 1
    file.seek(position)
