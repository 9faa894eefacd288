"""What a container leaves behind to say why it ended (kubernetes.io: "Determine the Reason for Pod Failure")."""

from __future__ import annotations

from pathlib import Path

from kubelab.engine.client import Object
from kubelab.engine.network.contract import Mount
from kubelab.engine.node.log_reader import LogOptions, read

DEFAULT_PATH = "/dev/termination-log"
MOST_BYTES = 4096
MOST_LOG_BYTES = 2048
MOST_LOG_LINES = 80


def prepare(file: Path, spec: Object) -> Mount:
    """Make the message's file, empty; answers where the container sees it."""
    file.write_bytes(b"")
    file.chmod(0o666)
    return Mount(str(file), spec.get("terminationMessagePath") or DEFAULT_PATH, read_only=False)


async def message(file: Path, log: Path, spec: Object, code: int) -> str:
    """What the container wrote; the end of its log if it failed silently and its policy says so."""
    text = _content(file)[-MOST_BYTES:]
    if not text and code and spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
        chunks = [chunk async for chunk in read(log, LogOptions(tail_lines=MOST_LOG_LINES), None)]
        text = b"".join(chunks)[-MOST_LOG_BYTES:]
    return text.decode(errors="replace")


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:  # the container has removed it, where nothing is mounted
        return b""
