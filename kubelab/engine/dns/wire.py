"""Between the wire format (RFC 1035, by dnslib) and the records of this package."""

from __future__ import annotations

import random
import struct
from bisect import bisect_right
from collections.abc import Iterable

from dnslib import (
    AAAA,
    CLASS,
    CNAME,
    EDNS0,
    NS,
    OPCODE,
    PTR,
    QTYPE,
    RCODE,
    RR,
    SOA,
    SRV,
    TXT,
    A,
    DNSError,
    DNSHeader,
    DNSLabel,
    DNSRecord,
)

from kubelab.engine.dns.records import Answer, Question, Record, Soa, Srv

PLAIN_UDP_SIZE = 512
LARGEST_UDP_SIZE = 1232
"""What a datagram carries without being cut to pieces on any path (DNS flag day 2020)."""


_ZONE_TRANSFERS = (QTYPE.AXFR, QTYPE.IXFR)

_BAD_VERSION = 16
"""Of EDNS; the upper bits of this rcode stand in the OPT record (RFC 6891, 6.1.3)."""

_HEADER = struct.Struct("!6H")


class Malformed(ValueError):
    """Not a question that can be answered."""


def parse(data: bytes) -> tuple[DNSRecord, Question]:
    """The request and its one question. Raises `Malformed`."""
    try:
        request = DNSRecord.parse(data)
    except (DNSError, ValueError, IndexError, RecursionError) as error:
        raise Malformed(str(error)) from None
    if request.header.qr or len(request.questions) != 1:
        raise Malformed("not a request with one question")
    question = request.questions[0]
    type_ = QTYPE.forward.get(question.qtype, str(question.qtype))
    return request, Question(_name(question.qname), type_)


def _name(name: DNSLabel) -> str:
    """Without its last dot; a dot within a label stays within it (escaped as in RFC 4343, 2.1)."""
    if any(b"." in label for label in name.label):
        return ".".join(str(DNSLabel([label]))[:-1].replace(".", "\\046") for label in name.label)
    return str(name).rstrip(".")


def refusable(request: DNSRecord) -> str | None:
    """The rcode for a request of a kind that is not served, or None."""
    if request.header.opcode != OPCODE.QUERY:
        return "NOTIMP"
    edns, question = _edns(request), request.questions[0]
    if edns is not None and edns.edns_ver > 0:
        return "BADVERS"
    return "REFUSED" if question.qclass != CLASS.IN or question.qtype in _ZONE_TRANSFERS else None


def reply(request: DNSRecord, answer: Answer, *, udp: bool) -> bytes:
    """The cluster's own answer: authoritative, addresses in changing order, cut to size for UDP."""
    message = _empty(request, answer.rcode, authoritative=True)
    for record in _shuffled(answer.answers):
        message.add_answer(_to_wire(record))
    for record in answer.authority:
        message.add_auth(_to_wire(record))
    for record in answer.additional:
        message.add_ar(_to_wire(record))
    return _fitted(message, request, udp)


def failure(request: DNSRecord, rcode: str) -> bytes:
    """An answer without records."""
    return bytes(_empty(request, rcode, authoritative=False).pack())


def malformed(data: bytes) -> bytes | None:
    """The answer (FORMERR) to a request that has no more than a header; None where there is not even that."""
    if len(data) < _HEADER.size or data[2] & 0x80:
        return None
    number, flags = struct.unpack_from("!2H", data)
    kept = flags & 0x7900  # opcode and "recursion desired"
    return _HEADER.pack(number, 0x8000 | kept | int(RCODE.FORMERR), 0, 0, 0, 0)


def appended(request: DNSRecord, answer: Answer, found: bytes, *, udp: bool) -> bytes:
    """The cluster's aliases, and behind them what another name server found under the last one, if anything."""
    message = _empty(request, "NOERROR", authoritative=True)
    for record in answer.answers:
        message.add_answer(_to_wire(record))
    message.add_answer(*DNSRecord.parse(found).rr)
    return _fitted(message, request, udp)


def request_for(name: str, type_: str) -> bytes:
    """A question of our own to another name server."""
    return bytes(DNSRecord.question(name, type_).pack())


def rcode_of(message: bytes) -> str:
    """``NOERROR``, ``NXDOMAIN`` …"""
    return str(RCODE.forward.get(message[3] & 0x0F, str(message[3] & 0x0F)))


def _empty(request: DNSRecord, rcode: str, *, authoritative: bool) -> DNSRecord:
    code = _BAD_VERSION if rcode == "BADVERS" else int(RCODE.reverse[rcode])
    header = DNSHeader(id=request.header.id, qr=1, aa=int(authoritative), rd=request.header.rd, ra=0, rcode=code & 0x0F)
    message = DNSRecord(header, q=request.questions[0])
    if _edns(request) is not None:
        message.add_ar(EDNS0(ext_rcode=code >> 4, udp_len=LARGEST_UDP_SIZE))
    return message


def _edns(request: DNSRecord) -> RR | None:
    return next((record for record in request.ar if record.rtype == QTYPE.OPT), None)


def _fitted(message: DNSRecord, request: DNSRecord, udp: bool) -> bytes:
    packed = bytes(message.pack())
    if not udp:
        return packed
    edns = _edns(request)
    limit = PLAIN_UDP_SIZE if edns is None else max(PLAIN_UDP_SIZE, min(edns.edns_len, LARGEST_UDP_SIZE))
    if len(packed) <= limit:
        return packed
    message.ar = [record for record in message.ar if record.rtype == QTYPE.OPT]
    records = message.rr

    def size(count: int) -> int:
        message.rr = records[:count]
        return len(message.pack())

    fitting = max(bisect_right(range(len(records) + 1), limit, key=size) - 1, 0)
    message.rr = records[:fitting]
    message.header.tc = int(fitting < len(records))
    return bytes(message.pack())


def _shuffled(records: Iterable[Record]) -> list[Record]:
    """Aliases first, as they lead on; addresses behind them in any order, so that clients spread."""
    in_order = list(records)
    addresses = [record for record in in_order if record.type in ("A", "AAAA")]
    random.shuffle(addresses)
    return [record for record in in_order if record.type not in ("A", "AAAA")] + addresses


def _to_wire(record: Record) -> RR:
    return RR(record.name, QTYPE.reverse[record.type], ttl=record.ttl, rdata=_data(record))


def _data(record: Record) -> object:
    data = record.data
    if isinstance(data, Srv):
        return SRV(data.priority, data.weight, data.port, data.target)
    if isinstance(data, Soa):
        times = (_serial(), data.refresh, data.retry, data.expire, data.minimum)
        return SOA(data.primary, data.mailbox, times)
    return {"A": A, "AAAA": AAAA, "CNAME": CNAME, "PTR": PTR, "NS": NS, "TXT": TXT}[record.type](data)


def _serial() -> int:
    """Names change with the cluster, not with a zone file; nobody transfers the zone."""
    return 1
