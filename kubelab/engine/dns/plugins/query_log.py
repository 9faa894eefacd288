"""errors and log: what is written about questions."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence

from kubelab.engine.dns import wire
from kubelab.engine.dns.corefile import Directive, Line
from kubelab.engine.dns.plugins.base import Failed, Handler, Plugin, Query, Reply, Site, options, within, zone_of

log = logging.getLogger(__name__)

COMMON = (
    '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" '
    "{rcode} {>rflags} {rsize} {duration}"
)
COMBINED = COMMON + ' "{>opcode}"'

_CLASSES = ("all", "success", "denial", "error")
_PLACE = re.compile(r"\{>?\w+\}")


class Errors(Plugin):
    """``errors``: a line for every question that could not be answered, with the reason."""

    name = "errors"

    def __init__(self, directives: Sequence[Directive], site: Site) -> None:
        super().__init__(directives, site)
        options(directives[0], {})

    def wrap(self, following: Handler) -> Handler:
        """Write what fails further on."""

        async def handle(query: Query) -> Reply:
            try:
                return await following(query)
            except Failed as failure:
                if str(failure):
                    code = wire.number_of(failure.rcode)
                    name, type_ = query.question
                    log.error("plugin/errors: %d %s. %s: %s", code, name.lower(), type_, failure)
                raise

        return handle


class _Rule:
    """One ``log`` line: for which names, in which format, for which kinds of answers."""

    def __init__(self, directive: Directive) -> None:
        line = directive.line
        self.zones: tuple[str, ...] = ("",)
        self.format = COMMON
        if line.args:
            names = [word for word in line.args if "{" not in word]
            formats = [word for word in line.args if "{" in word]
            if len(formats) > 1 or (formats and line.args[-1] != formats[0]):
                raise line.wrong_arguments()
            self.zones = tuple(map(zone_of, names)) or ("",)
            self.format = (formats or [COMMON])[0].replace("{common}", COMMON).replace("{combined}", COMBINED)
        self.classes: set[str] = set()
        options(directive, {"class": self._class})

    def _class(self, line: Line) -> None:
        if not line.args:
            raise line.wrong_arguments()
        for each in line.args:
            if each not in _CLASSES:
                raise line.wrong(f"invalid class: {each}")
        self.classes |= set(line.args)

    def wants(self, kind: str) -> bool:
        return not self.classes or "all" in self.classes or kind in self.classes


class Log(Plugin):
    """``log [NAMES...] [FORMAT] { class ... }``: a line for every question."""

    name = "log"
    repeats = True

    def __init__(self, directives: Sequence[Directive], site: Site) -> None:
        super().__init__(directives, site)
        self._rules = [_Rule(directive) for directive in directives]

    def wrap(self, following: Handler) -> Handler:
        """Write a line when the answer is there."""

        async def handle(query: Query) -> Reply:
            started, reply = time.perf_counter(), None
            try:
                reply = await following(query)
                return reply
            finally:
                self._write(query, reply, time.perf_counter() - started)

        return handle

    def _write(self, query: Query, reply: Reply | None, seconds: float) -> None:
        rule = next((rule for rule in self._rules if within(query.question.name, rule.zones) is not None), None)
        if rule is not None and rule.wants(_kind(reply)):
            values = _values(query, reply, seconds)
            log.info("%s", _PLACE.sub(lambda found: values.get(found[0], "-"), rule.format))


def _kind(reply: Reply | None) -> str:
    if reply is None:
        return "error"
    if reply.message.denies:
        return "denial"
    return "success" if reply.message.rcode == 0 else "error"


def _values(query: Query, reply: Reply | None, seconds: float) -> dict[str, str]:
    """What stands for each place in a format; what is not known is a dash."""
    header, question = query.request.header, query.request.questions[0]
    values = {
        "{remote}": query.client[0],
        "{port}": str(query.client[1]),
        "{>id}": str(header.id),
        "{>opcode}": str(header.opcode),
        "{type}": query.question.type,
        "{class}": wire.class_of(question),
        "{name}": f"{query.question.name}.",
        "{proto}": query.protocol,
        "{size}": str(len(query.data)),
        "{>do}": str(wire.wants_dnssec(query.request)).lower(),
        "{>bufsize}": str(wire.size_for(query.request) if query.udp else wire.LARGEST_MESSAGE),
        "{rsize}": "0",
        "{duration}": f"{seconds:.9f}".rstrip("0") + "s",
    }
    if reply is not None:
        sent = wire.to_send(query.request, reply.message, udp=query.udp)
        values |= {"{rcode}": wire.rcode_of(sent), "{>rflags}": wire.flags_of(sent), "{rsize}": str(len(sent))}
    return values
