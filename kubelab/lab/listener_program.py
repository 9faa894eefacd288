"""The listener that runs in a node's network: hears from the kernel which rules one marked packet meets.

This file is sent as text to a Python on the node (3.8 or later), so it knows the standard library only. It speaks to
nf_tables by netlink (include/uapi/linux/netfilter/nf_tables.h): a table of its own tells the kernel to trace packets
with one DSCP value, and the answers to them. The kernel removes that table with the socket that made it, however it
ends.

Says ``{"ready": …}`` when it listens; at a line on standard input, or its end, writes what it heard, as one JSON line.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from typing import Any

TABLES = "kubelab-follow-"
TABLE = TABLES + str(os.getpid())
NETLINK_NETFILTER, NFTABLES = 12, 10
NEWTABLE, NEWCHAIN, NEWRULE, GETRULE, GETGEN, TRACE = 0, 3, 6, 7, 16, 17
BATCH_BEGIN, BATCH_END = 0x10, 0x11
REQUEST, ACK, CREATE, DUMP = 1, 4, 0x400, 0x300
ERROR, DONE = 2, 3
OWNER = 2
"""The kernel takes the table away when the socket that made it is closed (Linux 5.12)."""
TRACE_GROUP = 9
HOOKS = (("prerouting", 0), ("output", 3))
PRIORITY = -350
"""Before all that iptables has (-300)."""
WORDS = {0: "drop", 1: "accept", 2: "stolen", 3: "queue", -1: "continue", -3: "jump", -4: "goto", -5: "return"}
POLICY = 1
SYN, SYN_ACK = 0x02, 0x12


def attribute(kind: int, data: bytes | str | int | list[bytes]) -> bytes:
    """One attribute: bytes, text, a 32-bit number, or a nest of attributes."""
    if isinstance(data, list):
        kind, data = kind | 0x8000, b"".join(data)
    elif isinstance(data, str):
        data = data.encode() + b"\0"
    elif isinstance(data, int):
        data = struct.pack(">i", data)
    size = 4 + len(data)
    return struct.pack("=HH", size, kind) + data + b"\0" * (-size % 4)


def expression(name: str, *data: bytes) -> bytes:
    """One expression of a rule."""
    return attribute(1, [attribute(1, name), attribute(2, list(data))])


def compared(base: int, offset: int, mask: int, value: int) -> list[bytes]:
    """``(byte at offset & mask) == value``; base 1 is the network header, 2 the transport header."""
    bits = [attribute(1, 1), attribute(2, 1), attribute(3, 1), attribute(4, [attribute(1, bytes([mask]))])]
    return [
        expression("payload", attribute(1, 1), attribute(2, base), attribute(3, offset), attribute(4, 1)),
        expression("bitwise", *bits, attribute(5, [attribute(1, b"\0")])),
        expression("cmp", attribute(1, 1), attribute(2, 0), attribute(3, [attribute(1, bytes([value]))])),
    ]


def protocol(number: int) -> list[bytes]:
    """``meta l4proto NUMBER``."""
    return [
        expression("meta", attribute(2, 16), attribute(1, 1)),
        expression("cmp", attribute(1, 1), attribute(2, 0), attribute(3, [attribute(1, bytes([number]))])),
    ]


def traced() -> list[bytes]:
    """``meta nftrace set 1``."""
    return [
        expression("immediate", attribute(1, 1), attribute(2, [attribute(1, b"\1")])),
        expression("meta", attribute(2, 12), attribute(3, 1)),
    ]


def rules(job: dict[str, Any]) -> list[list[bytes]]:
    """What to trace: the marked packet (a SYN, over TCP), and over TCP every answer to a SYN."""
    marked = compared(1, 1, 0xFC, job["tos"])
    if job["protocol"] != "tcp":
        return [protocol(socket.getprotobyname(job["protocol"])) + marked + traced()]
    tcp = protocol(socket.IPPROTO_TCP)
    return [
        tcp + marked + compared(2, 13, SYN_ACK, SYN) + traced(),
        tcp + compared(2, 13, SYN_ACK, SYN_ACK) + traced(),
    ]


class Netlink:
    """A socket to the kernel's packet filter."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
        self.socket.settimeout(5)
        self.number = 0

    def message(self, kind: int, flags: int, body: bytes = b"", resource: int = 0) -> bytes:
        self.number += 1
        family = socket.AF_UNSPEC if resource else socket.AF_INET
        whole = struct.pack(">BBH", family, 0, resource) + body
        return struct.pack("=IHHII", 16 + len(whole), kind, flags, self.number, 0) + whole

    def table(self, kind: int, flags: int, body: bytes = b"") -> bytes:
        return self.message(NFTABLES << 8 | kind, flags | REQUEST, body)

    def batch(self, *messages: bytes) -> None:
        """All or nothing. Each has to ask for an answer. Raises OSError."""
        begin = self.message(BATCH_BEGIN, REQUEST, resource=NFTABLES)
        self.socket.send(begin + b"".join(messages) + self.message(BATCH_END, REQUEST, resource=NFTABLES))
        for _ in messages:
            self.answers()

    def answers(self) -> list[tuple[int, bytes]]:
        """Type and attributes of the messages up to the one that ends the answer. Raises OSError."""
        found: list[tuple[int, bytes]] = []
        while True:
            for kind, flags, body in messages_of(self.socket.recv(1 << 18)):
                if kind == ERROR:
                    code = struct.unpack_from("=i", body)[0]
                    if code:
                        raise OSError(-code, os.strerror(-code))
                    return found
                if kind == DONE:
                    return found
                found.append((kind & 0xFF, body[4:]))
                if not flags & 2:  # no part of several
                    return found

    def generation(self) -> int:
        """A number that changes with every change of rules."""
        self.socket.send(self.table(GETGEN, 0))
        return int.from_bytes(attributes(self.answers()[0][1])[1], "big")

    def handles(self, table: str, chain: str) -> list[int]:
        """The handles of a chain's rules, in order."""
        self.socket.send(self.table(GETRULE, DUMP, attribute(1, table) + attribute(2, chain)))
        rules = [attributes(body) for _, body in self.answers()]
        there = [rule for rule in rules if (text(rule[1]), text(rule[2])) == (table, chain)]
        return [int.from_bytes(rule[3], "big") for rule in there]


def messages_of(data: bytes) -> list[tuple[int, int, bytes]]:
    """Type, flags and body of each netlink message."""
    found, at = [], 0
    while at + 16 <= len(data):
        size, kind, flags = struct.unpack_from("=IHH", data, at)
        found.append((kind, flags, data[at + 16 : at + size]))
        at += size + 3 & ~3
    return found


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes by number."""
    found, at = {}, 0
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        if size < 4:
            break
        found[kind & 0x3FFF] = data[at + 4 : at + size]
        at += size + 3 & ~3
    return found


def text(data: bytes) -> str:
    """A name that ends with a zero."""
    return data.rstrip(b"\0").decode()


def arm(link: Netlink, job: dict[str, Any]) -> None:
    """Make the table."""
    made: list[bytes] = []
    for name, hook in HOOKS:
        place = [attribute(1, hook), attribute(2, PRIORITY)]
        body = attribute(1, TABLE) + attribute(3, name) + attribute(4, place) + attribute(7, "filter")
        made.append(link.table(NEWCHAIN, ACK | CREATE, body))
        for rule in rules(job):
            body = attribute(1, TABLE) + attribute(2, name) + attribute(4, rule)
            made.append(link.table(NEWRULE, ACK | CREATE | 0x800, body))
    table = attribute(1, TABLE) + attribute(2, OWNER)
    link.batch(link.table(NEWTABLE, ACK | CREATE, table), *made)


def event(family: int, body: bytes) -> dict[str, Any] | None:
    """One thing that the kernel says of a packet (handle 0: a chain's end or policy); None for what such tables do."""
    said = attributes(body)
    table, kind = text(said[1]), int.from_bytes(said[4], "big")
    handle = int.from_bytes(said.get(3, b""), "big")
    if table.startswith(TABLES):
        return None
    verdict = attributes(said[5]) if 5 in said else {1: said.get(16, b"\0\0\0\1")}
    found: dict[str, Any] = {
        "id": said[6].hex(),
        "family": {1: "inet", 2: "ip", 10: "ip6"}.get(family, str(family)),
        "table": table,
        "chain": text(said[2]),
        "handle": handle,
        "policy": kind == POLICY,
        "verdict": WORDS.get(struct.unpack(">i", verdict[1])[0], "unknown"),
        "to": text(verdict.get(2, b"")),
        "mark": int.from_bytes(said.get(14, b""), "big"),
    }
    if 8 in said:
        found["packet"] = packet(said[8], said.get(9, b""))
        found["in"], found["out"] = (link_name(said.get(number, b"")) for number in (10, 12))
    return found


def link_name(index: bytes) -> str:
    number = int.from_bytes(index, "big")
    return socket.if_indextoname(number) if number else ""


def packet(network: bytes, transport: bytes) -> dict[str, Any]:
    """What rules can see of the packet, and by what it is known again (IP id, TCP's numbers)."""
    found = {
        "tos": network[1], "ip_id": int.from_bytes(network[4:6], "big"), "ttl": network[8], "protocol": network[9],
        "source": socket.inet_ntoa(network[12:16]), "destination": socket.inet_ntoa(network[16:20]),
    }  # fmt: skip
    if len(transport) >= 4:
        found["source_port"], found["destination_port"] = struct.unpack_from(">HH", transport)
    if network[9] == socket.IPPROTO_TCP and len(transport) >= 14:
        found["sequence"], found["acknowledges"] = struct.unpack_from(">II", transport, 4)
        found["flags"] = transport[13]
    return found


def heard(listening: socket.socket) -> list[dict[str, Any]]:
    """All that has come."""
    found: list[dict[str, Any]] = []
    listening.setblocking(False)
    while True:
        try:
            data = listening.recv(1 << 18)
        except BlockingIOError:
            return found
        for kind, _, body in messages_of(data):
            said = event(body[0], body[4:]) if kind == NFTABLES << 8 | TRACE else None
            if said is not None:
                found.append(said)


def say(what: dict[str, Any]) -> None:
    """One line for whoever started this."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main(job: dict[str, Any]) -> None:
    """Listen until told to stop."""
    listening = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    listening.bind((0, 0))
    listening.setsockopt(270, 1, TRACE_GROUP)  # SOL_NETLINK, NETLINK_ADD_MEMBERSHIP
    link = Netlink()
    arm(link, job)
    generation = link.generation()
    say({"ready": True})
    sys.stdin.readline()
    events = heard(listening)
    order = {(e["table"], e["chain"]): link.handles(e["table"], e["chain"]) for e in events if e["handle"]}
    for each in events:
        there = order.get((each["table"], each["chain"]), [])
        each["number"] = there.index(each["handle"]) + 1 if each["handle"] in there else 0
    say({"events": events, "changed": link.generation() != generation})


if "job" in globals():
    main(globals()["job"])
