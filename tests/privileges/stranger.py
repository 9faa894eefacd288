"""What another user of the machine finds out about a cluster that is not theirs: prints a JSON list of sentences.

Reads JSON from stdin: ``paths`` of all that the cluster keeps, ``pids`` and ``sockets`` (inodes) of its processes,
``secrets``, the ``folders`` that everybody writes to, its ``owner`` (uid) and ``since`` when it is there. Standard
library only: it is run by a user who can read nothing else.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress

MOST_BYTES = 1 << 20


def kept(paths: list[str]) -> Iterator[str]:
    """Of the state directory, whose every path is known to us: nothing is to be opened, listed or connected to."""
    for path in paths:
        with suppress(OSError):
            mode = os.stat(path).st_mode
            if stat.S_ISSOCK(mode):
                if connects(path):
                    yield f"the socket {path} takes connections"
            elif stat.S_ISDIR(mode):
                yield f"the directory {path} shows {os.listdir(path)}"
            elif stat.S_ISREG(mode):
                with open(path, "rb"):
                    yield f"the file {path} can be read"


def told(pids: list[int], secrets: list[bytes]) -> Iterator[str]:
    """By /proc of the processes: command lines are everybody's, and nothing else is."""
    for pid in pids:
        for name in ("cmdline", "environ", "maps", "stack", "mem"):
            with suppress(OSError):
                said = read(f"/proc/{pid}/{name}")
                if said and name != "cmdline":
                    yield f"/proc/{pid}/{name} can be read"
                if any(secret in said for secret in secrets):
                    yield f"/proc/{pid}/{name} tells a secret: {said[:200]!r}"
        for name in ("fd", "map_files", "cwd", "root"):
            with suppress(OSError):
                yield f"/proc/{pid}/{name} shows {os.listdir(f'/proc/{pid}/{name}')}"


def left_about(folders: list[str], owner: int, since: float, secrets: list[bytes]) -> Iterator[str]:
    """Where everybody may leave files: no secret in one that has come or changed since the cluster is there."""
    for folder in folders:
        for where, _, names in os.walk(folder):
            for path in (os.path.join(where, name) for name in names):
                with suppress(OSError):
                    found = os.lstat(path)
                    if not stat.S_ISREG(found.st_mode) or found.st_uid != owner or found.st_mtime < since:
                        continue
                    content = read(path)
                    if any(secret in content for secret in secrets):
                        yield f"{path} tells a secret"


def reached(sockets: set[str]) -> Iterator[str]:
    """Unix sockets by the names under which the kernel knows them, abstract ones (``@``) among them."""
    with open("/proc/net/unix") as table:
        for fields in (line.split() for line in table):
            if len(fields) > 7 and fields[6] in sockets and connects(fields[7].replace("@", "\0", 1)):
                yield f"the socket {fields[7]} takes connections"


def connects(address: str) -> bool:
    """Whether it takes a connection of any kind."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_UNIX, kind) as client, suppress(OSError):
            client.settimeout(1)
            client.connect(address)
            return True
    return False


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(MOST_BYTES)


def main() -> None:
    asked = json.load(sys.stdin)
    secrets = [secret.encode() for secret in asked["secrets"]]
    print(json.dumps([
        *kept(asked["paths"]),
        *told(asked["pids"], secrets),
        *left_about(asked["folders"], asked["owner"], asked["since"], secrets),
        *reached(set(asked["sockets"])),
    ]))  # fmt: skip


if __name__ == "__main__":
    main()
