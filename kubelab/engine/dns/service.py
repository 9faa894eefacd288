"""The life of a name server: start with a Corefile, follow its changes, end gently."""

from __future__ import annotations

import asyncio
import logging
import platform
from collections.abc import Callable

from kubelab.engine.dns.corefile import CorefileError
from kubelab.engine.dns.instance import Instance, Surroundings
from kubelab.engine.dns.listeners import Listeners
from kubelab.engine.dns.plugins.base import Query, Reply
from kubelab.engine.dns.plugins.prometheus import REVISION, RUNTIME, VERSION
from kubelab.engine.dns.plugins.status import Health, Reload
from kubelab.engine.dns.server import NameServer

log = logging.getLogger(__name__)

Say = Callable[[str], None]


class Service:
    """A name server and the reading of the Corefile that is in force."""

    def __init__(self, read: Callable[[], str], file: str, around: Surroundings, *, say: Say) -> None:
        self._read = read
        self._file = file
        self._around = around
        self._say = say
        self._listeners = Listeners(NameServer(self._ask, around.metrics))
        self._seen = read()
        self.instance = Instance(self._seen, file, around)

    async def _ask(self, port: int, query: Query) -> Reply:
        return await self.instance.ask(port, query)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until told to stop. Raises `CorefileError` and `Fatal`."""
        stopping = asyncio.create_task(stop.wait())
        try:
            await self._begin()
            while not await self._changed(stopping):
                await self._reload()
            await self._fade()
        finally:
            stopping.cancel()
            self._listeners.keep((), {})
            await self.instance.stop()

    async def _begin(self) -> None:
        await self.instance.start()
        await self._listeners.open(self.instance.chains, self.instance.pages)
        self._in_force(None)
        for port, zones in self.instance.chains.items():
            for zone in zones:
                self._say(f"{zone}.:{port}")
        self._tell()
        self._say(f"CoreDNS-{VERSION}\n{platform.system().lower()}/{platform.machine()}, {RUNTIME}, {REVISION}")

    def _in_force(self, before: Instance | None) -> None:
        """From here on questions go to the new reading; whoever is being answered is answered by the old one."""
        metrics, now = self._around.metrics, self.instance.enabled()
        for labels in before.enabled() if before else ():
            if labels not in now:
                metrics.set("coredns_plugin_enabled", 0, **labels)
        for labels in now:
            metrics.set("coredns_plugin_enabled", 1, **labels)
        if before:
            metrics.set("coredns_reload_version_info", 0, hash="sha512", value=before.sha512)
        metrics.set("coredns_reload_version_info", 1, hash="sha512", value=self.instance.sha512)
        self._listeners.keep(self.instance.chains, self.instance.pages)
        self.instance.listening.set()

    def _tell(self) -> None:
        reload = self.instance.find(Reload)
        if reload is None:
            return
        log.info("plugin/reload: Running configuration SHA512 = %s", self.instance.sha512)
        if not reload.given:
            log.info("plugin/reload: kubelab looks for a changed Corefile every 2s, CoreDNS every 30s to 45s")

    async def _changed(self, stopping: asyncio.Task[bool]) -> bool:
        """Wait: True when it is time to stop, False when the Corefile has changed. Raises what ended a plugin."""
        while True:
            reload = self.instance.find(Reload)
            watched = {stopping, *(task for task in self.instance.running if not task.done())}
            await asyncio.wait(watched, timeout=reload.seconds if reload else None, return_when=asyncio.FIRST_COMPLETED)
            for task in self.instance.running:
                if task.done():
                    task.result()
            if stopping.done():
                return True
            if reload and self._text() != self._seen:
                return False

    def _text(self) -> str:
        """The Corefile; while it cannot be read, what it was."""
        try:
            return self._read()
        except OSError as error:
            log.debug("the Corefile cannot be read: %s", error)
            return self._seen

    async def _reload(self) -> None:
        """Take the changed Corefile, or go on with the one in force and say why."""
        self._seen = self._text()
        log.info("Reloading")
        try:
            following = await self._started(self._seen)
        except CorefileError as error:
            self._around.metrics.add("coredns_reload_failed_total")
            log.error("Restart failed: %s", error)
            log.error(
                "plugin/reload: Corefile changed but reload failed: starting with listener file descriptors: %s", error
            )
            return
        before, self.instance = self.instance, following
        self._in_force(before)
        await before.stop()
        self._tell()
        log.info("Reloading complete")

    async def _started(self, text: str) -> Instance:
        following = Instance(text, self._file, self._around)
        await following.start()
        try:
            await self._listeners.open(following.chains, following.pages)
        except CorefileError:
            await following.stop()
            self._listeners.keep(self.instance.chains, self.instance.pages)
            raise
        return following

    async def _fade(self) -> None:
        """Go on answering those who have not heard yet that this pod is going."""
        log.info("SIGTERM: Shutting down servers then terminating")
        health = self.instance.find(Health)
        if health and health.lameduck:
            log.info("plugin/health: Going into lameduck mode for %s", health.lameduck_text)
            await asyncio.sleep(health.lameduck)
