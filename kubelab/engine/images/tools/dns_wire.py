"""DNS messages (RFC 1035, SRV: RFC 2782), as much as the stand-in dig reads and writes."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, field

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "ANY": 255}
NAMES = {number: name for name, number in TYPES.items()}
CODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")
_FLAGS = (("qr", 0x8000), ("aa", 0x0400), ("tc", 0x0200), ("rd", 0x0100), ("ra", 0x0080), ("ad", 0x0020))
TRUNCATED = 0x0200


class BadMessage(ValueError):
    """The bytes are not a DNS message."""


@dataclass
class Record:
    """One resource record, its data as text."""

    name: str
    ttl: int
    type: str
    data: str


@dataclass
class Answer:
    """A response."""

    id: int
    flags: int
    answers: list[Record] = field(default_factory=list)
    authority: list[Record] = field(default_factory=list)
    additional: list[Record] = field(default_factory=list)

    @property
    def code(self) -> str:
        """NOERROR, NXDOMAIN …"""
        number = self.flags & 0xF
        return CODES[number] if number < len(CODES) else f"RESERVED{number}"

    @property
    def flag_names(self) -> str:
        """``qr aa rd``"""
        return " ".join(name for name, bit in _FLAGS if self.flags & bit)


def query(number: int, name: str, kind: str) -> bytes:
    """A question with recursion desired. Raises BadMessage for a name that cannot be asked."""
    try:
        labels = [
            label.encode("idna") if not label.isascii() else label.encode() for label in name.rstrip(".").split(".")
        ]
    except UnicodeError as error:
        raise BadMessage(f"'{name}' is not a legal name") from error
    labels = [label for label in labels if label or name.rstrip(".")]
    if any(not 0 < len(label) < 64 for label in labels):
        raise BadMessage(f"'{name}' is not a legal name (empty label or label too long)")
    wire = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + wire + struct.pack("!2H", TYPES[kind], 1)


def read(message: bytes) -> Answer:
    """Read a response. Raises `BadMessage`."""
    try:
        number, flags, questions, answers, authority, additional = struct.unpack_from("!6H", message)
        at = 12
        for _ in range(questions):
            at = _name(message, at)[1] + 4
        answer = Answer(number, flags)
        for count, section in (
            (answers, answer.answers),
            (authority, answer.authority),
            (additional, answer.additional),
        ):
            for _ in range(count):
                record, at = _record(message, at)
                if record is not None:
                    section.append(record)
        return answer
    except (struct.error, IndexError) as error:
        raise BadMessage("the answer is not a DNS message") from error


def _name(message: bytes, at: int) -> tuple[str, int]:
    labels: list[str] = []
    end = 0
    for _ in range(128):
        length = message[at]
        if length >= 0xC0:
            end = end or at + 2
            at = struct.unpack_from("!H", message, at)[0] & 0x3FFF
        elif length == 0:
            return ".".join(labels) + ".", end or at + 1
        else:
            labels.append(message[at + 1 : at + 1 + length].decode("ascii", "backslashreplace"))
            at += 1 + length
    raise BadMessage("a name in the answer leads in a circle")


def _record(message: bytes, at: int) -> tuple[Record | None, int]:
    name, at = _name(message, at)
    kind, _, ttl, length = struct.unpack_from("!HHIH", message, at)
    at += 10
    end = at + length
    if kind not in NAMES:  # OPT and the like
        return None, end
    return Record(name, ttl, NAMES[kind], _data(message, at, end, NAMES[kind])), end


def _data(message: bytes, at: int, end: int, kind: str) -> str:
    match kind:
        case "A":
            return socket.inet_ntop(socket.AF_INET, message[at:end])
        case "AAAA":
            return socket.inet_ntop(socket.AF_INET6, message[at:end])
        case "CNAME" | "NS" | "PTR":
            return _name(message, at)[0]
        case "MX":
            return f"{struct.unpack_from('!H', message, at)[0]} {_name(message, at + 2)[0]}"
        case "SRV":
            numbers = struct.unpack_from("!3H", message, at)
            return f"{numbers[0]} {numbers[1]} {numbers[2]} {_name(message, at + 6)[0]}"
        case "SOA":
            server, at = _name(message, at)
            mail, at = _name(message, at)
            return " ".join([server, mail, *map(str, struct.unpack_from("!5I", message, at))])
        case _:
            texts = []
            while at < end:
                texts.append('"' + message[at + 1 : at + 1 + message[at]].decode(errors="replace") + '"')
                at += 1 + message[at]
            return " ".join(texts)
