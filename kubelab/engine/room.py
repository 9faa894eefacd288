"""What the engine's process has to be before it begins, whatever shell it was started from."""

from __future__ import annotations

import os
import resource
from asyncio import sslproto

ENOUGH_FILES = 1 << 16
"""Every watch is a connection; a thousand are more than the usual limit of 1024 descriptors leaves room for."""
TLS_BUFFER_BYTES = 32 << 10
"""asyncio would set 256 KiB aside for each connection: 300 MB for a thousand watches that say nothing. Two records of
TLS fit into this (RFC 8446: 16 KiB at most)."""


def make_room() -> None:
    """Set it."""
    os.umask(0o022)  # what pods mount is readable to their users; the state directory is private anyway
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, enough), hard))
    sslproto.SSLProtocol.max_size = TLS_BUFFER_BYTES
