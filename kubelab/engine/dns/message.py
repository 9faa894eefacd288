"""Answers as they are on the wire: finding their records, and changing order, times to live and length in place.

A name may point back to an earlier place in the message (RFC 1035, 4.1.4) and never forward, so that the front of a
message stands without its end.
"""

from __future__ import annotations

import itertools
import random
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

ANSWER, AUTHORITY, ADDITIONAL = range(3)

_A, _NS, _SOA, _MX, _AAAA, _OPT = 1, 2, 6, 15, 28, 41
_SHUFFLED = frozenset((_A, _AAAA, _MX))
_TRUNCATED, _HEADER_SIZE = 0x02, 12


class Unreadable(ValueError):
    """Not a message."""


class Span(NamedTuple):
    """Where a record stands in a message: ``message[start:end]``, its time to live at ``ttl``."""

    section: int
    type: int
    start: int
    ttl: int
    end: int


@dataclass(frozen=True)
class Message:
    """A response and where its records are; without OPT, which belongs to a hop and not to the answer."""

    data: bytes
    question_end: int
    spans: tuple[Span, ...]

    @classmethod
    def read(cls, data: bytes) -> Message:
        """Find the records. What stands behind an OPT record is left out. Raises `Unreadable`."""
        try:
            counts = struct.unpack_from("!4H", data, 4)
            question_end = at = _behind_questions(data, counts[0])
            spans = []
            for section, count in enumerate(counts[1:]):
                for _ in range(count):
                    span = _span(data, at, section)
                    at = span.end
                    spans.append(span)
        except (IndexError, struct.error) as error:
            raise Unreadable(str(error)) from None
        if at > len(data):
            raise Unreadable("the message is cut off")
        before_opt = next((n for n, span in enumerate(spans) if span.type == _OPT), len(spans))
        return cls._of(data, question_end, spans[:before_opt])

    @classmethod
    def _of(cls, data: bytes, question_end: int, spans: Iterable[Span], flags: int = 0) -> Message:
        """The front of a message, with as many records as there are spans."""
        kept = tuple(spans)
        counts = [sum(span.section == section for span in kept) for section in range(3)]
        end = kept[-1].end if kept else question_end
        head = bytes((*data[:2], data[2] | flags, *data[3:6])) + struct.pack("!3H", *counts)
        return cls(head + data[_HEADER_SIZE:end], question_end, kept)

    @property
    def rcode(self) -> int:
        """The response code."""
        return self.data[3] & 0x0F

    @property
    def truncated(self) -> bool:
        """Whether something was left out."""
        return bool(self.data[2] & _TRUNCATED)

    def has(self, section: int, type_: int | None = None) -> bool:
        """Whether a section has a record (of a type)."""
        return any(span.section == section and type_ in (None, span.type) for span in self.spans)

    @property
    def denies(self) -> bool:
        """Whether it says, with authority, that there is no such name or no such record (RFC 2308)."""
        return self.has(AUTHORITY, _SOA) and (self.rcode == 3 or (self.rcode == 0 and not self.has(ANSWER)))

    @property
    def delegates(self) -> bool:
        """Whether it points to other name servers."""
        return self.rcode == 0 and not self.has(ANSWER) and self.has(AUTHORITY, _NS)

    @property
    def shortest_life(self) -> int | None:
        """The least time to live of its records, seconds; None without records."""
        return min((self._life(span) for span in self.spans), default=None)

    def _life(self, span: Span) -> int:
        return int.from_bytes(self.data[span.ttl : span.ttl + 4], "big")

    def living(self, seconds: int) -> Message:
        """With one time to live for all records."""
        data, ttl = bytearray(self.data), seconds.to_bytes(4, "big")
        for span in self.spans:
            data[span.ttl : span.ttl + 4] = ttl
        return Message(bytes(data), self.question_end, self.spans)

    def to(self, request: bytes) -> Message | None:
        """The answer to another request for the same name: with its id, its flags and its spelling of the name."""
        question = request[_HEADER_SIZE : self.question_end]
        if len(question) != self.question_end - _HEADER_SIZE:
            return None
        flags = (self.data[2] & 0xFE) | (request[2] & 0x01)
        head = request[:2] + bytes((flags,)) + self.data[3:_HEADER_SIZE]
        return Message(head + question + self.data[self.question_end :], self.question_end, self.spans)

    def shuffled(self) -> Message:
        """With its addresses in any order, aliases before them as they lead on."""
        moved = [span for span in self.spans if span.section == ANSWER and span.type in _SHUFFLED]
        if len(moved) < 2 or not self._may_move(moved):
            return self
        start, end = moved[0].start, moved[-1].end
        random.shuffle(moved)
        data = b"".join(self.data[span.start : span.end] for span in moved)
        return Message.read(self.data[:start] + data + self.data[end:])

    def _may_move(self, moved: list[Span]) -> bool:
        """Whether they stand side by side and their names point to something in front of them all."""
        start = moved[0].start
        pointers = (int.from_bytes(self.data[span.start : span.start + 2], "big") for span in moved)
        side_by_side = all(one.end == other.start for one, other in itertools.pairwise(moved))
        return side_by_side and all(0xC000 <= pointer < 0xC000 + start for pointer in pointers)

    def fitted(self, limit: int) -> Message:
        """As many records as there is room for; marked when that is not all."""
        if len(self.data) <= limit:
            return self
        fitting = [span for span in self.spans if span.end <= limit]
        return self._of(self.data, self.question_end, fitting, _TRUNCATED)

    def with_opt(self, opt: bytes) -> bytes:
        """The bytes to send, with an OPT record at their end."""
        (additional,) = struct.unpack_from("!H", self.data, 10)
        return self.data[:10] + struct.pack("!H", additional + 1) + self.data[_HEADER_SIZE:] + opt


def _behind_questions(data: bytes, count: int) -> int:
    at = _HEADER_SIZE
    for _ in range(count):
        at = _behind_name(data, at) + 4
    return at


def _behind_name(data: bytes, at: int) -> int:
    while (size := data[at]) != 0:
        if size >= 0xC0:
            return at + 2
        at += size + 1
    return at + 1


def _span(data: bytes, start: int, section: int) -> Span:
    at = _behind_name(data, start)
    type_, _, _, length = struct.unpack_from("!2HIH", data, at)
    return Span(section, type_, start, at + 4, at + 10 + length)
