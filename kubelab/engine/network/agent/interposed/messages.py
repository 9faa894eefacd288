"""``struct msghdr`` and ``struct mmsghdr`` in a caller's memory."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from kubelab.engine.network.agent.interposed import sockaddr
from kubelab.engine.network.agent.interposed.notify import Call, Unreachable

_HEADER = struct.Struct("QI4xQQQQi4x")
_MULTI_BYTES = 64
"""sizeof(struct mmsghdr): a msghdr, then the ``unsigned int`` that says how long the message was."""
_VECTOR = struct.Struct("QQ")
_MOST_VECTORS = 1024
_MOST_MESSAGES = 1024
_NAME_LENGTH_AT, _CONTROL_LENGTH_AT, _FLAGS_AT = 8, 40, 48


class Header:
    """One message of a caller."""

    def __init__(self, call: Call, at: int) -> None:
        self._call, self._at = call, at
        (
            self.name,
            self._name_length,
            self._vectors,
            self._vector_count,
            self._control,
            self._control_length,
            self._flags,
        ) = _HEADER.unpack(call.read(at, _HEADER.size))

    def address(self) -> bytes:
        """The bytes of the address to send to; empty when it is too short to be one."""
        length = min(self._name_length, sockaddr.LONGEST)
        return self._call.read(self.name, length) if length >= 8 else b""

    def payload(self) -> bytes:
        """What is to be sent."""
        return b"".join(self._call.read(base, length) for base, length in self._buffers() if length)

    def room(self) -> int:
        """How many bytes may be received."""
        return sum(length for _, length in self._buffers())

    def deliver(self, data: bytes, address: bytes) -> int:
        """Write a received datagram; its length. There is no control data."""
        rest = data
        for base, length in self._buffers():
            if not rest:
                break
            self._call.write(base, rest[:length])
            rest = rest[length:]
        self._call.write(self.name, address[: self._name_length])
        self._call.write(self._at + _NAME_LENGTH_AT, struct.pack("I", len(address)))
        self._call.write(self._at + _CONTROL_LENGTH_AT, struct.pack("Q", 0))
        self._call.write(self._at + _FLAGS_AT, struct.pack("i", 0))
        return len(data)

    def write_length(self, length: int) -> None:
        """Say in a ``struct mmsghdr`` how long its message was."""
        self._call.write(self._at + _HEADER.size, struct.pack("I", length))

    def _buffers(self) -> list[tuple[int, int]]:
        if self._vector_count > _MOST_VECTORS:
            raise Unreachable
        data = self._call.read(self._vectors, _VECTOR.size * self._vector_count) if self._vector_count else b""
        return list(_VECTOR.iter_unpack(data))


def headers(call: Call, at: int, count: int) -> Iterator[Header]:
    """The messages of a ``sendmmsg`` or ``recvmmsg``."""
    for number in range(min(count, _MOST_MESSAGES)):
        yield Header(call, at + number * _MULTI_BYTES)
