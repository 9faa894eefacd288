"""A Corefile at work: server blocks with their chains of plugins."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kubelab.engine.client import Client
from kubelab.engine.dns.corefile import CorefileError, Directive, Line, ServerBlock, parse
from kubelab.engine.dns.plugins.base import Failed, Handler, Pages, Plugin, Query, Reply, Site, within, zone_of
from kubelab.engine.dns.plugins.cache import Cache
from kubelab.engine.dns.plugins.forward import Forward
from kubelab.engine.dns.plugins.hosts import Hosts
from kubelab.engine.dns.plugins.kubernetes import Kubernetes
from kubelab.engine.dns.plugins.loadbalance import LoadBalance
from kubelab.engine.dns.plugins.loop import Loop
from kubelab.engine.dns.plugins.prometheus import Prometheus, report
from kubelab.engine.dns.plugins.query_log import Errors, Log
from kubelab.engine.dns.plugins.rewrite import Rewrite
from kubelab.engine.dns.plugins.status import Health, Ready, Reload
from kubelab.engine.metrics import Metrics

log = logging.getLogger(__name__)

P = TypeVar("P", bound=Plugin)

PATIENCE_SECONDS = 5.0
"""How long the start waits for the API; after that questions are answered as far as that goes."""

PLUGINS: tuple[type[Plugin], ...] = (
    *(Reload, Ready, Health, Prometheus, Errors, Log, LoadBalance, Cache),
    *(Rewrite, Hosts, Kubernetes, Loop, Forward),
)
"""In the order in which a question passes them, whatever their order in the Corefile."""

NOT_HERE = frozenset(
    (
        *(
            "acl",
            "any",
            "auto",
            "autopath",
            "azure",
            "bind",
            "bufsize",
            "cancel",
            "chaos",
            "clouddns",
            "debug",
            "dns64",
        ),
        *("dnssec", "dnstap", "erratic", "etcd", "file", "geoip", "grpc", "header", "import", "k8s_external", "local"),
        *("metadata", "minimal", "multicluster", "nomad", "nsid", "pprof", "quic", "root", "route53", "secondary"),
        *("sign", "template", "timeouts", "tls", "trace", "transfer", "tsig", "view", "whoami"),
    )
)
"""What CoreDNS has besides."""


@dataclass(frozen=True)
class Surroundings:
    """What a name server finds in its pod."""

    metrics: Metrics
    client: Callable[[], Client]
    own: Sequence[str] = ()
    """The pod's addresses."""
    resolv_conf: str = ""
    port: int = 53
    """Of server blocks that name none."""


async def ignored(query: Query) -> Reply:
    """The end of every chain: no plugin answered."""
    raise Failed("no next plugin found")


class Instance:
    """One reading of the Corefile. Raises `CorefileError`."""

    def __init__(self, text: str, file: str, around: Surroundings) -> None:
        self.sha512 = hashlib.sha512(text.encode()).hexdigest()
        self.chains: dict[int, dict[str, Handler]] = {}
        """Port → zone → who answers."""
        self.plugins: list[Plugin] = []
        self.listening = asyncio.Event()
        """To be set when the ports are open."""
        self.running: list[asyncio.Task[None]] = []
        self._around = around
        for block in parse(text, file):
            self._serve(block)
        if not self.chains:
            raise CorefileError(f"{file}:1 - Error during parsing: no server block")
        for plugin in self.plugins:
            if isinstance(plugin, Ready):
                plugin.waits_for = self._waits_for

    def _serve(self, block: ServerBlock) -> None:
        places = [_place(key, block.keys, self._around.port) for key in block.keys.words]
        zones, port = tuple(zone for zone, _ in places), places[0][1]
        around = self._around
        ask = functools.partial(self.ask, port)
        found = (around.metrics, around.client, ask, self.listening, around.own, around.resolv_conf)
        plugins = _plugins(block, Site(zones, port, *found))
        handler: Handler = ignored
        for plugin in reversed(plugins):
            handler = plugin.wrap(handler)
        for zone, at in places:
            if self.chains.setdefault(at, {}).setdefault(zone, handler) is not handler:
                raise block.keys.wrong(f"cannot serve dns://{zone}.:{at} - it is already defined")
        self.plugins += plugins

    async def ask(self, port: int, query: Query) -> Reply:
        """The answer of the server block whose zone fits best. Raises `Failed`."""
        chains = self.chains.get(port, {})
        zone = within(query.question.name, tuple(chains))
        if zone is None:
            dropped = {"server": f"dns://:{port}", "zone": "dropped", "view": ""}
            report(self._around.metrics, dropped, query, "REFUSED")
            raise Failed(rcode="REFUSED")
        return await chains[zone](query)

    def _waits_for(self) -> list[str]:
        return sorted({plugin.name for plugin in self.plugins if not plugin.ready})

    @property
    def pages(self) -> Pages:
        """What is answered over HTTP."""
        found: Pages = {}
        for plugin in self.plugins:
            found |= plugin.pages()
        return found

    def find(self, kind: type[P]) -> P | None:
        """The first plugin of a kind."""
        return next((plugin for plugin in self.plugins if isinstance(plugin, kind)), None)

    async def start(self) -> None:
        """Be able to answer, or have waited long enough for it."""
        for plugin in self.plugins:
            await plugin.start()
        self.running = [asyncio.create_task(plugin.run()) for plugin in self.plugins]
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*(plugin.until_ready() for plugin in self.plugins))
        except TimeoutError:
            log.warning("plugin/kubernetes: starting server with unsynced Kubernetes API")

    async def stop(self) -> None:
        """End what runs beside the questions."""
        for task in self.running:
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)
        for plugin in self.plugins:
            await plugin.stop()

    def enabled(self) -> list[dict[str, str]]:
        """Which plugins answer, for which zone: labels."""
        asked = [plugin for plugin in self.plugins if type(plugin).wrap is not Plugin.wrap]
        return [{"name": plugin.name, **plugin.site.labels(zone)} for plugin in asked for zone in plugin.site.zones]


def _place(key: str, line: Line, port: int) -> tuple[str, int]:
    """``dns://example.test:5353`` → zone and port."""
    scheme, found, rest = key.rpartition("://")
    zone, colon, given = rest.rpartition(":")
    if (found and scheme != "dns") or "/" in rest or (colon and not given.isdecimal()):
        raise line.wrong(f"kubelab's name server has no server block for '{key}': write a zone, or a zone with a port")
    return (zone_of(zone), int(given)) if colon else (zone_of(rest), port)


def _plugins(block: ServerBlock, site: Site) -> list[Plugin]:
    """In the order of `PLUGINS`."""
    kinds = {kind.name: kind for kind in PLUGINS}
    given: dict[str, list[Directive]] = {}
    for directive in block.directives:
        name = directive.line.name
        if name in NOT_HERE:
            known = ", ".join(sorted(kinds))
            raise directive.line.wrong(f"kubelab's name server does not have the plugin '{name}', it has: {known}")
        if name not in kinds:
            raise directive.line.wrong(f"Unknown directive '{name}'")
        given.setdefault(name, []).append(directive)
    return [_made(kind, given[kind.name], site) for kind in PLUGINS if kind.name in given]


def _made(kind: type[Plugin], directives: list[Directive], site: Site) -> Plugin:
    try:
        if len(directives) > 1 and not kind.repeats:
            raise CorefileError("this plugin can only be used once per Server Block")
        return kind(directives, site)
    except CorefileError as error:
        raise CorefileError(f"plugin/{kind.name}: {error}") from None
