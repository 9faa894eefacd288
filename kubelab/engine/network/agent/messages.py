"""What engine and agent say to each other: one JSON object a datagram, file descriptors beside it.

The channel is a ``SOCK_SEQPACKET`` pair. Requests go one way, replies (by the request's id) and events the other:

request  ``{"id": 7, "op": "add_pod", …}``
reply    ``{"id": 7, "result": {…}}`` or ``{"id": 7, "error": {"kind": …, "message": …}}``
event    ``{"event": "exit", "pid": 42, "code": 0}``

A datagram has to fit the socket's send buffer (212,992 bytes on an untuned kernel), so a long message travels in an
anonymous file whose descriptor comes first.
"""

from __future__ import annotations

import array
import json
import os
import socket
from collections.abc import Sequence
from typing import Any

Message = dict[str, Any]

LONGEST_DATAGRAM = 60_000
MOST_DESCRIPTORS = 32
_IN_A_FILE = b"+"


def send(channel: socket.socket, message: Message, fds: Sequence[int] = ()) -> None:
    """Send one message with copies of ``fds``. Raises OSError, BlockingIOError on a full non-blocking channel."""
    payload = json.dumps(message, separators=(",", ":")).encode()
    if len(payload) <= LONGEST_DATAGRAM:
        _send(channel, payload, fds)
        return
    file = os.memfd_create("message")
    try:
        with open(file, "wb", closefd=False) as writer:
            writer.write(payload)
        _send(channel, _IN_A_FILE, [file, *fds])
    finally:
        os.close(file)


def receive(channel: socket.socket) -> tuple[Message, list[int]] | None:
    """The next message and its descriptors (close-on-exec, the caller's to close). None: the other end is gone."""
    try:
        payload, ancillary, _flags, _address = channel.recvmsg(
            LONGEST_DATAGRAM + 1, socket.CMSG_SPACE(4 * MOST_DESCRIPTORS), socket.MSG_CMSG_CLOEXEC
        )
    except ConnectionResetError:
        return None
    fds = _descriptors(ancillary)
    if not payload:
        return None
    if payload == _IN_A_FILE:
        with open(fds.pop(0), "rb") as reader:
            reader.seek(0)
            payload = reader.read()
    return json.loads(payload), fds


def _send(channel: socket.socket, payload: bytes, fds: Sequence[int]) -> None:
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    channel.sendmsg([payload], ancillary, socket.MSG_NOSIGNAL)


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return list(fds)
