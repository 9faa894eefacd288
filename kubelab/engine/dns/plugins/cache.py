"""cache: answers are kept for as long as they live, at most for so many seconds."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from kubelab.engine.dns import wire
from kubelab.engine.dns.corefile import Directive, Line
from kubelab.engine.dns.message import Message
from kubelab.engine.dns.plugins.base import Handler, Plugin, Query, Reply, Site, options, within, zone_of

SHORTEST_SECONDS = 5
LONGEST_SECONDS = 3600
LONGEST_DENIAL_SECONDS = 1800
CAPACITY = 9984
"""As many as CoreDNS keeps of either kind when nothing is said."""

SUCCESS, DENIAL = "success", "denial"

_SERVFAIL = 2

Key = tuple[str, str, bool]
"""Name, type, and whether DNSSEC's records were asked for."""


@dataclass(frozen=True)
class _Kept:
    message: Message
    until: float


class _Store:
    """Answers of one kind: how many, how long, and of which zones none."""

    def __init__(self, longest: int) -> None:
        self.capacity = CAPACITY
        self.longest = longest
        self.shortest = SHORTEST_SECONDS
        self.except_zones: tuple[str, ...] = ()
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def seconds(self, message: Message) -> int:
        """How long an answer is kept."""
        life = message.shortest_life
        return min(max(SHORTEST_SECONDS if life is None else life, self.shortest), self.longest)

    def get(self, key: Key, now: float) -> _Kept | None:
        found = self._kept.get(key)
        if found is None or found.until <= now:
            return None
        self._kept.move_to_end(key)
        return found

    def put(self, key: Key, kept: _Kept) -> bool:
        """Whether another had to go."""
        self._kept[key] = kept
        self._kept.move_to_end(key)
        if len(self._kept) <= self.capacity:
            return False
        self._kept.popitem(last=False)
        return True


class Cache(Plugin):
    """``cache [TTL] [ZONES...] { success CAPACITY [TTL [MINTTL]]; denial …; disable success|denial [ZONES...] }``."""

    name = "cache"

    def __init__(self, directives: Sequence[Directive], site: Site) -> None:
        super().__init__(directives, site)
        (directive,) = directives
        self._stores = {SUCCESS: _Store(LONGEST_SECONDS), DENIAL: _Store(LONGEST_DENIAL_SECONDS)}
        line, zones = directive.line, directive.line.args
        if zones and zones[0].isdecimal():
            if int(zones[0]) == 0:
                raise line.wrong("cache TTL can not be zero or negative: 0")
            for store in self._stores.values():
                store.longest = int(zones[0])
            zones = zones[1:]
        self._zones = tuple(map(zone_of, zones)) or site.zones
        self.now = time.monotonic
        sized = dict.fromkeys(self._stores, self._sized)
        options(directive, {"disable": self._disable, **sized})

    def _sized(self, line: Line) -> None:
        if not 1 <= len(line.args) <= 3:
            raise line.wrong_arguments()
        store, numbers = self._stores[line.name], [line.number_of(text) for text in line.args]
        store.capacity = numbers[0]
        store.longest = (numbers[1:] or [store.longest])[0]
        store.shortest = (numbers[2:] or [store.shortest])[0]

    def _disable(self, line: Line) -> None:
        if not line.args or line.args[0] not in self._stores:
            raise line.wrong("cache type for disable must be success or denial")
        self._stores[line.args[0]].except_zones = tuple(map(zone_of, line.args[1:])) or ("",)

    def wrap(self, following: Handler) -> Handler:
        """Answer from what is kept, keep what is new."""

        async def handle(query: Query) -> Reply:
            if within(query.question.name, self._zones) is None:
                return await following(query)
            key = (query.question.name.lower(), query.question.type, wire.wants_dnssec(query.request))
            kept = self._found(key, query)
            if kept is not None:
                return Reply(kept, self.name)
            reply = await following(query)
            return Reply(self._taken_in(key, reply.message), self.name)

        return handle

    def _labels(self, **more: str) -> dict[str, str]:
        return {"server": self.site.server, "view": "", "zones": ",".join(f"{zone}." for zone in self._zones), **more}

    def _found(self, key: Key, query: Query) -> Message | None:
        metrics, now = self.site.metrics, self.now()
        metrics.add("coredns_cache_requests_total", **self._labels())
        for kind in (DENIAL, SUCCESS):
            kept = self._stores[kind].get(key, now)
            message = kept and kept.message.to(query.data)
            if kept and message:
                metrics.add("coredns_cache_hits_total", **self._labels(type=kind))
                return message.living(max(int(kept.until - now), 0))
        metrics.add("coredns_cache_misses_total", **self._labels())
        return None

    def _taken_in(self, key: Key, message: Message) -> Message:
        """The answer, which from here on lives no longer than it is kept."""
        kind = _kind(message)
        if kind is None or message.truncated:
            return message
        store = self._stores[kind]
        seconds = SHORTEST_SECONDS if message.rcode == _SERVFAIL else store.seconds(message)
        message = message.living(seconds)
        if within(key[0], store.except_zones) is None:
            if store.put(key, _Kept(message, self.now() + seconds)):
                self.site.metrics.add("coredns_cache_evictions_total", **self._labels(type=kind))
            for each, kept in self._stores.items():
                self.site.metrics.set("coredns_cache_entries", len(kept), **self._labels(type=each))
        return message


def _kind(message: Message) -> str | None:
    """Which of the two an answer is; None for those that are not kept."""
    if message.denies or message.rcode == _SERVFAIL:
        return DENIAL
    return SUCCESS if message.rcode == 0 else None
