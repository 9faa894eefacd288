"""The sender that runs in a pod, on a node or outside: one connection (or datagram) whose first packet is marked.

This file is sent as text to a Python there (3.8 or later), so it knows the standard library only. The packet carries a
DSCP value by which the listeners on the nodes know it; otherwise it is like any other.

Says ``{"ready": …}``, and at a line on standard input connects, asks, and writes what came, as one JSON line.
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Any

BODY_LIMIT = 65536


def answered(peer: socket.socket, job: dict[str, Any]) -> str:
    """What the server says, as far as it comes within the time limit."""
    if job["protocol"] == "tcp":
        peer.sendall(f"GET {job['path']} HTTP/1.1\r\nHost: {job['host']}\r\nConnection: close\r\n\r\n".encode())
    found = b""
    while len(found) < BODY_LIMIT:
        try:
            more = peer.recv(BODY_LIMIT)
        except OSError:
            break
        if not more:
            break
        found += more
        if job["protocol"] != "tcp":
            break
    return found.partition(b"\r\n\r\n")[2 if job["protocol"] == "tcp" else 0].decode("utf-8", "replace")


def sent(job: dict[str, Any]) -> dict[str, Any]:
    """How it ended: ``connected`` (a datagram: ``answered``), ``refused``, ``silent``, or another error in words."""
    tcp = job["protocol"] == "tcp"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as peer:
        peer.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, job["tos"])
        peer.settimeout(job["timeout"])
        end, body = "connected", ""
        try:
            if job["source_port"]:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                peer.bind(("", job["source_port"]))
            peer.connect((job["address"], job["port"]))
            if not tcp:
                peer.send(job["path"].encode())
                body = peer.recv(BODY_LIMIT).decode("utf-8", "replace")
                end = "answered"
        except ConnectionRefusedError:
            end = "refused"
        except socket.timeout:  # noqa: UP041 (another class before Python 3.10)
            end = "silent"
        except OSError as error:
            end = error.strerror or str(error)
        source = list(peer.getsockname())
        if tcp and end == "connected":
            body = answered(peer, job)
    return {"end": end, "from": source, "body": body}


def say(what: dict[str, Any]) -> None:
    """One line for whoever started this."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main(job: dict[str, Any]) -> None:
    """Wait for the word, send, tell."""
    say({"ready": True})
    sys.stdin.readline()
    say(sent(job))


if "job" in globals():
    main(globals()["job"])
