"""A stand-in for dig: asks one name server and shows the answer as dig does."""

from __future__ import annotations

import ipaddress
import random
import socket
import struct
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kubelab.engine.images.tools import VERSION
from kubelab.engine.images.tools.dns_wire import TRUNCATED, TYPES, Answer, BadMessage, Record, query, read

NO_SERVER = 9


class Usage(Exception):
    """A mistake on the command line."""


@dataclass
class Question:
    """What was asked for."""

    name: str = "."
    type: str = "A"
    server: str = ""
    port: int = 53
    short: bool = False
    search: bool = False
    tcp: bool = False
    seconds: float = 5
    tries: int = 3
    shown: dict[str, bool] = field(default_factory=dict)

    def shows(self, part: str) -> bool:
        """Whether a part of the long form is printed (``+noall +answer``)."""
        return self.shown.get(part, self.shown.get("all", True))


@dataclass
class Resolver:
    """/etc/resolv.conf."""

    server: str = "127.0.0.1"
    search: Sequence[str] = ()
    ndots: int = 1


def main(argv: Sequence[str]) -> int:
    """Run; answers dig's exit code."""
    try:
        question = _read(argv[1:])
        if question is None:
            sys.stdout.write(f"DiG {VERSION}\n")
            return 0
        return _ask(question, _resolver(Path("/etc/resolv.conf")))
    except (Usage, BadMessage) as error:
        sys.stderr.write(f"dig: {error}\n")
        return 1


def _read(words: Sequence[str]) -> Question | None:
    question = Question()
    rest = iter(words)
    named = typed = False
    for word in rest:
        if word in ("-v", "--version"):
            return None
        if word.startswith("@"):
            question.server = word[1:]
        elif word.startswith("+"):
            _option(question, word[1:])
        elif word in ("-x", "-t", "-p", "-q", "-c"):
            value = next(rest, "")
            if word == "-x":
                question.name, question.type, named, typed = _reverse(value), "PTR", True, True
            elif word == "-t":
                question.type, typed = _type(value), True
            elif word == "-q":
                question.name, named = value, True
            elif word == "-p":
                question.port = int(value) if value.isdigit() else 53
        elif word in ("-4", "-u", "IN"):
            continue
        elif word.startswith("-"):
            raise Usage(f"option {word} is unknown to kubelab's stand-in for dig")
        elif word.upper() in TYPES and not typed and (named or word.isupper()):
            question.type, typed = word.upper(), True
        else:
            question.name, named = word, True
    if not named and not typed:
        question.type = "NS"
    return question


def _option(question: Question, option: str) -> None:
    name, _, value = option.partition("=")
    wanted = not name.startswith("no")
    plain = name.removeprefix("no")
    if plain == "short":
        question.short = wanted
    elif plain in ("search", "showsearch", "defname"):
        question.search = wanted
    elif plain in ("tcp", "vc"):
        question.tcp = wanted
    elif name in ("time", "timeout") and value.isdigit():
        question.seconds = max(float(value), 1)
    elif name in ("tries", "retry") and value.isdigit():
        question.tries = max(int(value) + (name == "retry"), 1)
    elif plain == "all":
        question.shown = {"all": wanted}
    elif plain in ("answer", "question", "authority", "additional", "stats", "cmd", "comments"):
        question.shown[plain] = wanted
    elif plain not in ("recurse", "edns", "cookie", "dnssec", "qr", "identify", "multiline", "ttlid", "class"):
        raise Usage(f"Invalid option: +{option}")


def _type(text: str) -> str:
    if text.upper() not in TYPES:
        raise Usage(f"kubelab's stand-in asks for {', '.join(TYPES)}, not for {text!r}")
    return text.upper()


def _reverse(text: str) -> str:
    try:
        return ipaddress.ip_address(text).reverse_pointer
    except ValueError:
        raise Usage(f"'{text}' is not a legal IP address") from None


def _resolver(path: Path) -> Resolver:
    resolver = Resolver()
    servers: list[str] = []
    for line in path.read_text().splitlines() if path.exists() else ():
        match line.split():
            case ["nameserver", address, *_]:
                servers.append(address)
            case ["search", *domains]:
                resolver.search = domains
            case ["options", *words]:
                resolver.ndots = next(
                    (int(word[6:]) for word in words if word.startswith("ndots:") and word[6:].isdigit()), 1
                )
    resolver.server = servers[0] if servers else resolver.server
    return resolver


def _ask(question: Question, resolver: Resolver) -> int:
    server = question.server or resolver.server
    address = socket.getaddrinfo(server, question.port, 0, socket.SOCK_DGRAM)[0][4][0]
    names = _candidates(question, resolver)
    if question.shows("cmd") and not question.short:
        sys.stdout.write(f"\n; <<>> DiG {VERSION} <<>> {question.name} {question.type}\n")
    for index, name in enumerate(names):
        began = time.monotonic()
        try:
            answer, size = _exchange(question, str(address), name)
        except OSError as error:
            why = "timed out" if isinstance(error, TimeoutError) else (error.strerror or str(error)).lower()
            sys.stdout.write(f";; communications error to {address}#{question.port}: {why}\n")
            sys.stdout.write(";; no servers could be reached\n")
            return NO_SERVER
        if (answer.code == "NOERROR" and answer.answers) or index == len(names) - 1:
            _show(question, name, answer, f"{address}#{question.port}({server})", time.monotonic() - began, size)
            break
    return 0


def _candidates(question: Question, resolver: Resolver) -> list[str]:
    name = question.name
    if not question.search or name.endswith("."):
        return [name]
    searched = [f"{name}.{domain}" for domain in resolver.search]
    return [name, *searched] if name.count(".") >= resolver.ndots else [*searched, name]


def _exchange(question: Question, server: str, name: str) -> tuple[Answer, int]:
    number = random.randrange(65536)
    message = query(number, name, question.type)
    if not question.tcp:
        data = _udp(question, server, message)
        answer = read(data)
        if not answer.flags & TRUNCATED:
            return answer, len(data)
    data = _tcp(question, server, message)
    return read(data), len(data)


def _udp(question: Question, server: str, message: bytes) -> bytes:
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    for _ in range(question.tries):
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.settimeout(question.seconds)
            asking.connect((server, question.port))
            asking.send(message)
            try:
                while (data := asking.recv(65535))[:2] != message[:2]:
                    continue
                return data
            except TimeoutError:
                continue
    raise TimeoutError


def _tcp(question: Question, server: str, message: bytes) -> bytes:
    with socket.create_connection((server, question.port), timeout=question.seconds) as asking:
        asking.sendall(struct.pack("!H", len(message)) + message)
        with asking.makefile("rb") as answer:
            length = answer.read(2)
            return answer.read(int.from_bytes(length))


def _show(question: Question, name: str, answer: Answer, server: str, seconds: float, size: int) -> None:
    if question.short:
        sys.stdout.write("".join(f"{record.data}\n" for record in answer.answers))
        return
    lines = []
    if question.shows("comments"):
        counts = f"QUERY: 1, ANSWER: {len(answer.answers)}, AUTHORITY: {len(answer.authority)}"
        lines += [
            ";; Got answer:",
            f";; ->>HEADER<<- opcode: QUERY, status: {answer.code}, id: {answer.id}",
            f";; flags: {answer.flag_names}; {counts}, ADDITIONAL: {len(answer.additional)}",
            "",
        ]
    dotted = name if name.endswith(".") else f"{name}."
    if question.shows("question"):
        lines += [";; QUESTION SECTION:", f";{dotted}\t\t\tIN\t{question.type}", ""]
    for part in ("answer", "authority", "additional"):
        records: list[Record] = getattr(answer, {"answer": "answers"}.get(part, part))
        if records and question.shows(part):
            if question.shows("comments"):
                lines.append(f";; {part.upper()} SECTION:")
            lines += [f"{each.name}\t{each.ttl}\tIN\t{each.type}\t{each.data}" for each in records]
            lines.append("")
    if question.shows("stats"):
        when = time.strftime("%a %b %d %H:%M:%S %Z %Y")
        lines += [
            f";; Query time: {round(seconds * 1000)} msec",
            f";; SERVER: {server} ({'TCP' if question.tcp else 'UDP'})",
            f";; WHEN: {when}",
            f";; MSG SIZE  rcvd: {size}",
            "",
        ]
    sys.stdout.write("\n".join(lines) + "\n")
