"""loop: a server whose questions come back to it must not go on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from kubelab.engine.dns import wire
from kubelab.engine.dns.corefile import Directive
from kubelab.engine.dns.plugins.base import Failed, Fatal, Handler, Plugin, Query, Reply, Site, options
from kubelab.engine.dns.records import Question

WATCH_SECONDS = 30.0
"""For how long after the start a question that comes back is noticed."""

_MOST_SEEN = 2


class Loop(Plugin):
    """``loop``: asks itself for a name that nobody else knows, and counts how often it is asked for it."""

    name = "loop"

    def __init__(self, directives: Sequence[Directive], site: Site) -> None:
        super().__init__(directives, site)
        (directive,) = directives
        options(directive, {})
        if directive.line.args:
            raise directive.line.wrong_arguments()
        self._name = ".".join(str(random.getrandbits(63)) for _ in range(2)) + (
            f".{site.zones[0]}" if site.zones[0] else ""
        )
        self._seen = 0
        self._watching = False
        self._looped = asyncio.Event()
        self._from = ""

    def wrap(self, following: Handler) -> Handler:
        """Count the question."""

        async def handle(query: Query) -> Reply:
            if self._watching and query.question == (self._name, "HINFO"):
                self._seen += 1
                if self._seen > _MOST_SEEN:
                    self._from = "{}:{}".format(*query.client)
                    self._looped.set()
                    raise Failed
            return await following(query)

        return handle

    async def run(self) -> None:
        """Ask, and watch for a while. Raises `Fatal` when the question came back."""
        await self.site.listening.wait()
        request = wire.request_for(self._name, "HINFO")
        me = ("127.0.0.1", 0)
        query = Query(request, Question(self._name, "HINFO"), bytes(request.pack()), True, me)
        self._watching = True
        asking = asyncio.create_task(self._ask(query))
        try:
            async with asyncio.timeout(WATCH_SECONDS):
                await self._looped.wait()
        except TimeoutError:
            return
        finally:
            self._watching = False
            asking.cancel()
        raise Fatal(
            f'plugin/loop: Loop ({self._from} -> :{self.site.port}) detected for zone "{self.site.zones[0]}.", '
            f'see https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO {self._name}."'
        )

    async def _ask(self, query: Query) -> None:
        try:
            await self.site.ask(query)
        except Failed:
            return
