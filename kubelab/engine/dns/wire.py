"""Between the wire format (RFC 1035, by dnslib) and the records of this package."""

from __future__ import annotations

import struct

from dnslib import (
    AAAA,
    CLASS,
    CNAME,
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
    DNSQuestion,
    DNSRecord,
)

from kubelab.engine.dns.message import Message
from kubelab.engine.dns.records import Answer, Question, Record, Soa, Srv

PLAIN_UDP_SIZE = 512
LARGEST_MESSAGE = 65535

_ZONE_TRANSFERS = (QTYPE.AXFR, QTYPE.IXFR)

_BAD_VERSION = 16
"""Of EDNS; the upper bits of this rcode stand in the OPT record (RFC 6891, 6.1.3)."""

_ECHO = frozenset((3, 9, 10, 11, 12))
"""EDNS options that are sent back: NSID, EXPIRE, COOKIE, TCP-KEEPALIVE, PADDING."""

_FLAGS = {"qr": 0x8000, "aa": 0x0400, "tc": 0x0200, "rd": 0x0100, "ra": 0x0080, "z": 0x0040, "ad": 0x0020, "cd": 0x0010}

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


def reply(request: DNSRecord, answer: Answer) -> Message:
    """The cluster's own answer, authoritative, in full."""
    message = _empty(request, answer.rcode, authoritative=True)
    for record in answer.answers:
        message.add_answer(_to_wire(record))
    for record in answer.authority:
        message.add_auth(_to_wire(record))
    for record in answer.additional:
        message.add_ar(_to_wire(record))
    return Message.read(bytes(message.pack()))


def failure(request: DNSRecord, rcode: str) -> Message:
    """An answer without records."""
    return Message.read(bytes(_empty(request, rcode, authoritative=False).pack()))


def malformed(data: bytes) -> bytes | None:
    """The answer (FORMERR) to a request that has no more than a header; None where there is not even that."""
    if len(data) < _HEADER.size or data[2] & 0x80:
        return None
    number, flags = struct.unpack_from("!2H", data)
    kept = flags & 0x7900  # opcode and "recursion desired"
    return _HEADER.pack(number, 0x8000 | kept | int(RCODE.FORMERR), 0, 0, 0, 0)


def appended(request: DNSRecord, answer: Answer, found: Message) -> Message:
    """The cluster's aliases, and behind them what another name server found under the last one, if anything."""
    message = _empty(request, "NOERROR", authoritative=True)
    for record in answer.answers:
        message.add_answer(_to_wire(record))
    message.add_answer(*DNSRecord.parse(found.data).rr)
    return Message.read(bytes(message.pack()))


def request_for(name: str, type_: str) -> DNSRecord:
    """A question of our own."""
    return DNSRecord.question(name, type_)


def renamed_request(request: DNSRecord, name: str) -> DNSRecord:
    """The same request for another name."""
    other = DNSRecord.parse(bytes(request.pack()))
    other.questions[0].qname = DNSLabel(name)
    return other


def renamed_reply(message: Message, request: DNSRecord, name: str | None) -> Message:
    """The answer as one to ``request``; records of ``name`` get the name that was asked for."""
    reply, question = DNSRecord.parse(message.data), request.questions[0]
    reply.header.id = request.header.id
    for record in reply.rr:
        if name is not None and str(record.rname).rstrip(".").lower() == name.lower():
            record.rname = question.qname
    reply.questions = [question]
    return Message.read(bytes(reply.pack()))


def number_of(rcode: str) -> int:
    """``SERVFAIL`` → 2."""
    return int(RCODE.reverse[rcode])


def class_of(question: DNSQuestion) -> str:
    """``IN``."""
    return str(CLASS.forward.get(question.qclass, question.qclass))


def rcode_of(message: bytes) -> str:
    """``NOERROR``, ``NXDOMAIN`` …"""
    return str(RCODE.forward.get(message[3] & 0x0F, str(message[3] & 0x0F)))


def _empty(request: DNSRecord, rcode: str, *, authoritative: bool) -> DNSRecord:
    code = _BAD_VERSION if rcode == "BADVERS" else int(RCODE.reverse[rcode])
    header = DNSHeader(id=request.header.id, qr=1, aa=int(authoritative), rd=request.header.rd, ra=0, rcode=code & 0x0F)
    return DNSRecord(header, q=request.questions[0])


def to_send(request: DNSRecord, message: Message, *, udp: bool) -> bytes:
    """The answer cut to what the client can take, with EDNS if the client speaks it."""
    opt = _opt(request)
    limit = size_for(request) if udp else LARGEST_MESSAGE
    fitted = message.fitted(limit - len(opt))
    return fitted.with_opt(opt) if opt else fitted.data


def size_for(request: DNSRecord) -> int:
    """How many bytes the client takes in a datagram, by its own word (RFC 6891, 6.2.3)."""
    edns = _edns(request)
    return PLAIN_UDP_SIZE if edns is None else max(PLAIN_UDP_SIZE, edns.edns_len)


def wants_dnssec(request: DNSRecord) -> bool:
    """Whether the client asked for DNSSEC's records (bit DO)."""
    edns = _edns(request)
    return edns is not None and bool(edns.edns_do)


def flags_of(message: bytes) -> str:
    """``qr,aa,rd`` …, in the order of the header."""
    (flags,) = struct.unpack_from("!H", message, 2)
    return ",".join(name for name, bit in _FLAGS.items() if flags & bit)


def _opt(request: DNSRecord) -> bytes:
    """The client's OPT record given back, with those of its options that CoreDNS sends back; nothing without EDNS."""
    edns = _edns(request)
    if edns is None:
        return b""
    options = edns.rdata if isinstance(edns.rdata, list) else []
    echo = [each for each in options if each.code in _ECHO]
    echoed = b"".join(struct.pack("!2H", each.code, len(each.data)) + each.data for each in echo)
    upper = _BAD_VERSION >> 4 if edns.edns_ver > 0 else 0
    flags = 0x8000 if edns.edns_do else 0
    return b"\0" + struct.pack("!2H2BHH", QTYPE.OPT, size_for(request), upper, 0, flags, len(echoed)) + echoed


def _edns(request: DNSRecord) -> RR | None:
    return next((record for record in request.ar if record.rtype == QTYPE.OPT), None)


def _to_wire(record: Record) -> RR:
    return RR(record.name, QTYPE.reverse[record.type], ttl=record.ttl, rdata=_data(record))


def _data(record: Record) -> object:
    data = record.data
    if isinstance(data, Srv):
        return SRV(data.priority, data.weight, data.port, data.target)
    if isinstance(data, Soa):
        times = (data.serial, data.refresh, data.retry, data.expire, data.minimum)
        return SOA(data.primary, data.mailbox, times)
    return {"A": A, "AAAA": AAAA, "CNAME": CNAME, "PTR": PTR, "NS": NS, "TXT": TXT}[record.type](data)
