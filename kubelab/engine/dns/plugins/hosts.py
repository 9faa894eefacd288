"""hosts: names and addresses as /etc/hosts has them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from kubelab.engine.dns import wire
from kubelab.engine.dns.corefile import Directive, Line
from kubelab.engine.dns.plugins.base import Failed, Fallthrough, Handler, Plugin, Query, Reply, Site, within, zone_of
from kubelab.engine.dns.records import Answer, Record

TTL = 3600


class Hosts(Plugin):
    """``hosts [ZONES...] { ADDRESS NAME...; ttl SECONDS; no_reverse; fallthrough [ZONES...] }``. No file is read."""

    name = "hosts"

    def __init__(self, directives: Sequence[Directive], site: Site) -> None:
        super().__init__(directives, site)
        (directive,) = directives
        if any("/" in word for word in directive.line.args):
            raise directive.line.wrong("kubelab's name server reads no hosts file: write the entries into the block")
        self._zones = tuple(map(zone_of, directive.line.args)) or site.zones
        self._fallthrough = Fallthrough()
        self._ttl = TTL
        self._reverse = True
        self._records: dict[str, list[Record]] = {}
        for line in directive.block:
            self._read(line)

    def _read(self, line: Line) -> None:
        match line.name:
            case "fallthrough":
                self._fallthrough.set(line.args)
            case "no_reverse":
                self._reverse = False
            case "ttl":
                self._ttl = line.number_of(line.only())
            case _:
                self._entry(line)

    def _entry(self, line: Line) -> None:
        try:
            ip = ipaddress.ip_address(line.name)
        except ValueError:
            raise line.wrong(f"unknown property '{line.name}'") from None
        if not line.args:
            raise line.wrong_arguments()
        for name in map(zone_of, line.args):
            self._add(name, "A" if ip.version == 4 else "AAAA", str(ip))
            self._add(ip.reverse_pointer, "PTR", name)

    def _add(self, name: str, type_: str, data: str) -> None:
        self._records.setdefault(name, []).append(Record(name, type_, data))

    def wrap(self, following: Handler) -> Handler:
        """Answer for the names that stand here."""

        async def handle(query: Query) -> Reply:
            name, type_ = query.question
            known = self._records.get(name.lower(), [])
            if type_ == "PTR" and not self._reverse:
                known = []
            if within(name, self._zones) is None and type_ != "PTR":
                return await following(query)
            if not known:
                if self._fallthrough(name) or type_ == "PTR":
                    return await following(query)
                raise Failed  # without a zone there is no SOA to deny the name with
            found = tuple(each._replace(name=name, ttl=self._ttl) for each in known if each.type == type_)
            return Reply(wire.reply(query.request, Answer(answers=found)), self.name)

        return handle
