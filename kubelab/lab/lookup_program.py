"""The resolver that runs inside a pod: asks the pod's own name server, as the pod's own resolver would.

Sent as text to a Python in the pod (3.8 or later), so it knows the standard library only. ``job`` is put into its
globals: name, type, timeout (seconds for each question). It follows resolv.conf(5): a name with fewer dots than
``ndots`` is tried with each search domain first, one with a dot at its end is tried as it is. It writes one JSON line a
question: the name that was asked for, the code of the answer, its records.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Any

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "TXT": 16, "AAAA": 28, "SRV": 33}
CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
ATTEMPTS = 2
TRUNCATED = 0x0200


def settings() -> tuple[list[str], list[str], int]:
    """Name servers, search domains and ndots of /etc/resolv.conf."""
    servers, search, ndots = [], [], 1
    with open("/etc/resolv.conf") as file:
        for line in file:
            words = line.split()
            if words[:1] == ["nameserver"]:
                servers += words[1:2]
            elif words[:1] in (["search"], ["domain"]):
                search = words[1:]
            elif words[:1] == ["options"]:
                ndots = next((int(word[6:]) for word in words if word.startswith("ndots:")), ndots)
    return servers, search, ndots


def candidates(name: str, search: list[str], ndots: int) -> list[str]:
    """The names to ask for, in their order, each with a dot at its end."""
    if name.endswith("."):
        return [name]
    longer = [f"{name}.{domain}".rstrip(".") + "." for domain in search]
    return [name + ".", *longer] if name.count(".") >= ndots else [*longer, name + "."]


def question(name: str, type_: str) -> bytes:
    """A query with the recursion bit (RFC 1035, section 4.1)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split(".") if label)
    return os.urandom(2) + struct.pack(">5H", 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", TYPES[type_], 1)


def ask(server: str, query: bytes, timeout: float) -> bytes:
    """The answer, over TCP when it does not fit into a datagram. Raises OSError."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(timeout)
        datagrams.connect((server, 53))
        datagrams.send(query)
        answer = datagrams.recv(4096)
        while answer[:2] != query[:2]:
            answer = datagrams.recv(4096)
    if not struct.unpack(">H", answer[2:4])[0] & TRUNCATED:
        return answer
    with socket.create_connection((server, 53), timeout) as stream, stream.makefile("rb") as reader:
        stream.sendall(struct.pack(">H", len(query)) + query)
        return reader.read(struct.unpack(">H", reader.read(2))[0])


def name_at(message: bytes, at: int) -> tuple[str, int]:
    """The name that stands at an offset, and where it ends; pointers lead back (RFC 1035, section 4.1.4)."""
    labels, end = [], 0
    while message[at]:
        if message[at] >= 0xC0:
            end = end or at + 2
            at = struct.unpack(">H", message[at : at + 2])[0] & 0x3FFF
        else:
            labels.append(message[at + 1 : at + 1 + message[at]].decode("ascii", "backslashreplace"))
            at += 1 + message[at]
    return ".".join(labels), end or at + 1


def data(message: bytes, at: int, length: int, type_: int) -> str:
    """What a record says, as zone files write it."""
    if type_ == TYPES["A"]:
        return socket.inet_ntop(socket.AF_INET, message[at : at + 4])
    if type_ == TYPES["AAAA"]:
        return socket.inet_ntop(socket.AF_INET6, message[at : at + 16])
    if type_ == TYPES["SRV"]:
        return "{} {} {} {}".format(*struct.unpack(">3H", message[at : at + 6]), name_at(message, at + 6)[0])
    if type_ == TYPES["TXT"]:
        return message[at + 1 : at + 1 + message[at]].decode("utf-8", "backslashreplace")
    if type_ in (TYPES["CNAME"], TYPES["PTR"], TYPES["NS"]):
        return name_at(message, at)[0]
    return message[at : at + length].hex()


def records(message: bytes) -> Iterator[dict]:
    """The answer section."""
    _, _, questions, answers = struct.unpack(">4H", message[:8])
    at = 12
    for _ in range(questions):
        at = name_at(message, at)[1] + 4
    words = {number: word for word, number in TYPES.items()}
    for _ in range(answers):
        owner, at = name_at(message, at)
        type_, _, ttl, length = struct.unpack(">2HIH", message[at : at + 10])
        at += 10
        yield {
            "name": owner,
            "type": words.get(type_, str(type_)),
            "ttl": ttl,
            "data": data(message, at, length, type_),
        }
        at += length


def tried(name: str, servers: list[str], job: Any) -> dict:
    """One name: the first answer that a server gives."""
    query = question(name, job["type"])
    for server in servers * ATTEMPTS:
        try:
            message = ask(server, query, job["timeout"])
            code = message[3] & 0x0F
            return {"name": name, "code": CODES.get(code, str(code)), "records": list(records(message))}
        except (OSError, struct.error, IndexError):
            continue
    return {"name": name, "code": "no answer", "records": []}


def run(job: Any) -> None:
    """Ask for one name after the other until one has records, as a resolver does."""
    servers, search, ndots = settings()
    for name in candidates(job["name"], search, ndots):
        result = tried(name, servers, job)
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()
        if result["records"] or result["code"] == "no answer":
            return


run(job)  # type: ignore[name-defined]  # noqa: F821
