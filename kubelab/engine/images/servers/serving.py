"""What the stand-ins have in common: options, start, graceful end, log lines, what a host knows of itself."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence

from kubelab.engine.images.http_server import Handler, Request, Server

STAND_IN = "kubelab stand-in"
GRACE_SECONDS = 3600.0
"""For requests under way; whoever ends a pod has a limit of their own."""


def serve(port: int, handler: Handler, *, began: str) -> int:
    """Serve until SIGTERM or SIGQUIT, finishing what is under way; ``began`` is logged when it listens."""
    try:
        server = Server(port, handler)
    except OSError as error:
        say(f"cannot listen on port {port}: {error.strerror}")
        return 1

    def end(*_: object) -> None:
        server.close(GRACE_SECONDS)
        os._exit(0)

    for number in (signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, end)
    say(began)
    server.serve()
    return 0


def say(text: str) -> None:
    """A line of the log, with the time as Go's ``log`` writes it."""
    os.write(2, f"{time.strftime('%Y/%m/%d %H:%M:%S')} {text}\n".encode(errors="replace"))


def options(argv: Sequence[str], known: Mapping[str, str]) -> dict[str, str] | None:
    """Options as Go's ``flag`` reads them (``-text=hi``, ``-text hi``, ``--text hi``), over their defaults.

    None, with a sentence on stderr, when there is one that is not known.
    """
    found, words = dict(known), list(argv)
    while words:
        name, equals, value = words.pop(0).lstrip("-").partition("=")
        if name not in known or (not equals and not words):
            sys.stderr.write(f"{STAND_IN}: {name!r} is not understood; there are -{', -'.join(known)}\n")
            return None
        found[name] = value if equals else words.pop(0)
    return found


def port_of(text: str) -> int:
    """``:5678``, ``0.0.0.0:5678`` or ``5678``. Raises ValueError."""
    return int(text.rpartition(":")[2])


def headers(request: Request) -> list[tuple[str, str]]:
    """The request's header lines, sorted by name; Host is not among them."""
    return [(name, value) for name, values in sorted(request.headers.items()) for value in values]


def addresses() -> list[str]:
    """127.0.0.1, and the address from which this host speaks to others."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unsent:
        try:
            unsent.connect(("192.0.2.1", 9))
        except OSError:
            return ["127.0.0.1"]
        return ["127.0.0.1", unsent.getsockname()[0]]


def tag() -> str:
    """The tag of the image by whose name this program was started."""
    return os.environ.get("KUBELAB_IMAGE", "").rpartition("/")[2].partition("@")[0].partition(":")[2]
