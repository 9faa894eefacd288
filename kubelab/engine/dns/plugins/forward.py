"""forward: names of others are asked for at other name servers."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence

from kubelab.engine.dns.corefile import Directive, Line
from kubelab.engine.dns.message import Message, Unreadable
from kubelab.engine.dns.plugins.base import Failed, Handler, Plugin, Query, Reply, Site, options, within, zone_of
from kubelab.engine.dns.upstream import POLICIES, NoAnswer, Upstream, name_servers

RESOLV_CONF = "/etc/resolv.conf"
_MOST_SERVERS = 15


class _Rule:
    """One ``forward`` line."""

    def __init__(self, directive: Directive, site: Site) -> None:
        line = directive.line
        if len(line.args) < 2:
            raise line.wrong_arguments()
        self.zone = zone_of(line.args[0])
        self.except_zones: tuple[str, ...] = ()
        self.most: int | None = None
        self.by_tcp = self.by_udp = False
        self.policy = "random"
        self.busy = 0
        reads: dict[str, Callable[[Line], object]] = {
            "except": self._except, "max_concurrent": self._most, "policy": self._policy,
            "force_tcp": self._force_tcp, "prefer_udp": self._prefer_udp,
        }  # fmt: skip
        options(directive, reads)
        servers = [server for word in line.args[1:] for server in _servers(word, line, site)]
        if len(servers) > _MOST_SERVERS:
            raise line.wrong(f"more than {_MOST_SERVERS} TOs configured: {len(servers)}")
        self.upstream = Upstream(servers, policy=self.policy, metrics=site.metrics)

    def _except(self, line: Line) -> None:
        if not line.args:
            raise line.wrong_arguments()
        self.except_zones += tuple(map(zone_of, line.args))

    def _most(self, line: Line) -> None:
        self.most = line.number_of(line.only()) or None

    def _policy(self, line: Line) -> None:
        self.policy = line.only()
        if self.policy not in POLICIES:
            raise line.wrong(f"unknown policy '{self.policy}'")

    def _force_tcp(self, line: Line) -> None:
        self.by_tcp = True

    def _prefer_udp(self, line: Line) -> None:
        self.by_udp = True

    def takes(self, name: str) -> bool:
        """Whether the name is to be asked for there."""
        return within(name, (self.zone,)) is not None and within(name, self.except_zones) is None

    async def ask(self, query: Query) -> bytes:
        """The answer of another server. Raises `NoAnswer`."""
        udp = not self.by_tcp and (query.udp or self.by_udp)
        answer = await self.upstream.ask(query.data, udp=udp)
        if udp and not query.udp and Message.read(answer).truncated:
            answer = await self.upstream.ask(query.data, udp=False)
        return answer


def _servers(word: str, line: Line, site: Site) -> list[str]:
    """``/etc/resolv.conf``, an address, an address with a port."""
    if word == RESOLV_CONF:
        return name_servers(site.resolv_conf, own=site.own)
    place = word.removeprefix("dns://")
    host, _, port = place.rpartition(":") if place.count(":") == 1 or "]:" in place else (place, "", "53")
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        raise line.wrong(f"not an IP address or file: {word!r}".replace("'", '"')) from None
    if not port.isdecimal():
        raise line.wrong(f"not an IP address or file: {word!r}".replace("'", '"'))
    return [f"{host.strip('[]')}#{port}"]


class Forward(Plugin):
    """``forward FROM TO... { except; max_concurrent; policy; force_tcp; prefer_udp }``."""

    name = "forward"
    repeats = True

    def __init__(self, directives: Sequence[Directive], site: Site) -> None:
        super().__init__(directives, site)
        self._rules = [_Rule(directive, site) for directive in directives]
        site.metrics.add("coredns_forward_max_concurrent_rejects_total", 0)
        site.metrics.add("coredns_forward_healthcheck_broken_total", 0)

    async def run(self) -> None:
        """Find out which servers answer."""
        await self.site.listening.wait()
        for rule in self._rules:
            rule.upstream.probe()

    async def stop(self) -> None:
        """End the probes."""
        for rule in self._rules:
            rule.upstream.close()

    def wrap(self, following: Handler) -> Handler:
        """Ask the first that takes the name."""

        async def handle(query: Query) -> Reply:
            rule = next((rule for rule in self._rules if rule.takes(query.question.name)), None)
            if rule is None:
                return await following(query)
            if not rule.upstream.servers:
                raise Failed(rcode="REFUSED")
            if rule.most is not None and rule.busy >= rule.most:
                self.site.metrics.add("coredns_forward_max_concurrent_rejects_total")
                raise Failed(f"concurrent queries exceeded maximum {rule.most}", "REFUSED")
            return Reply(await self._asked(rule, query), self.name)

        return handle

    async def _asked(self, rule: _Rule, query: Query) -> Message:
        rule.busy += 1
        try:
            return Message.read(await rule.ask(query))
        except (NoAnswer, Unreadable) as error:
            raise Failed(str(error)) from None
        finally:
            rule.busy -= 1
