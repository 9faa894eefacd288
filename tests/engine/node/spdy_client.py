"""A client's end of SPDY/3.1, as little of it as the tests need."""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from kubelab.engine.node.spdy_dictionary import DICTIONARY

SYN_STREAM, SYN_REPLY, RST_STREAM, PING, DATA = 1, 2, 3, 6, 0


class Frame(NamedTuple):
    """``kind`` is `DATA` for a data frame; ``stream`` is 0 where the frame has none."""

    kind: int
    stream: int
    data: bytes = b""
    last: bool = False


class SpdyClient:
    """Makes frames, and reads those that come."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)
        self._rest = b""
        self._number = -1

    def open(self, **headers: str) -> tuple[int, bytes]:
        """A new stream's number, and the frame that opens it."""
        self._number += 2
        pairs = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
        block = struct.pack("!I", len(pairs))
        for pair in pairs:
            block += b"".join(len(word).to_bytes(4, "big") + word for word in pair)
        block = self._deflate.compress(block) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return self._number, self.control(SYN_STREAM, struct.pack("!IIH", self._number, 0, 0) + block)

    @staticmethod
    def control(kind: int, payload: bytes) -> bytes:
        """A control frame."""
        return struct.pack("!HHB", 0x8003, kind, 0) + len(payload).to_bytes(3, "big") + payload

    @staticmethod
    def data(stream: int, data: bytes = b"", *, last: bool = False) -> bytes:
        """A data frame."""
        return struct.pack("!IB", stream, last) + len(data).to_bytes(3, "big") + data

    def frames(self, data: bytes) -> list[Frame]:
        """The whole frames in what has come."""
        self._rest += data
        found = []
        while len(self._rest) >= 8 and len(self._rest) >= 8 + (size := int.from_bytes(self._rest[5:8], "big")):
            head, payload = self._rest[:8], self._rest[8 : 8 + size]
            self._rest = self._rest[8 + size :]
            if head[0] & 0x80:
                found.append(Frame(head[3], int.from_bytes(payload[:4], "big"), payload))
            else:
                found.append(Frame(DATA, int.from_bytes(head[:4], "big"), payload, bool(head[4])))
        return found
