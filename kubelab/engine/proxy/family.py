"""Keeping one address family's rules in the kernel true to what the API says, in any mode."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from kubelab.engine.metrics import Metrics
from kubelab.engine.proxy.backend import Factory, LoadError, Setting
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.conntrack import endpoints_differ, forget_stale_flows
from kubelab.engine.proxy.endpoints import NodeView
from kubelab.engine.proxy.iptables import is_large
from kubelab.engine.proxy.iptables_backend import IptablesBackend
from kubelab.engine.proxy.services import PortName
from kubelab.engine.proxy.state import ProxyState, Tracker
from kubelab.engine.proxy.tool import Run

log = logging.getLogger(__name__)

FULL_SYNC_SECONDS = 3600.0


class FamilyProxy:
    """One family of one node: remembers what is loaded, and loads the difference.

    Everything is loaded at first, after a failure, after somebody flushed the tables, when the node's view changes
    (its zone, its addresses) and once an hour; otherwise only what changed.
    """

    def __init__(
        self,
        run: Run,
        config: ProxyConfig,
        family: int,
        node_name: str,
        make: Factory = IptablesBackend,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.family = family
        self.tracker = Tracker(node_name, family)
        """To be told of every Service and EndpointSlice."""
        self.metrics = Metrics({"ip_family": f"IPv{family}"})
        self.loaded: ProxyState | None = None
        """What the kernel's rules were made of; None before the first success and after a failure."""
        self._setting = Setting(run, config, family, self.metrics, now)
        self.backend = make(self._setting)
        self._wanted: ProxyState | None = None
        self._flows_may_be_stale = False
        self._last_full = 0.0

    def forget(self) -> None:
        """Load everything next time."""
        self.loaded = None

    async def sync(self, node: NodeView) -> None:
        """Bring the kernel up to date. Raises `LoadError`; the next sync is then a full one."""
        before = self._wanted
        self._wanted = state = self.tracker.state(node)
        noted = frozenset(self.tracker.changed)
        if before is not None and endpoints_differ(before, state, noted):  # at first there are no flows of ours yet
            self._flows_may_be_stale = True
        self.tracker.changed.clear()  # what changes from here on, while this is loaded, is for the next sync
        full = self._must_be_full(state)
        changed = frozenset(name for name in noted if self._concerns(name, state))
        if full or changed:
            self.loaded = None
            try:
                await self._load(state, None if full else changed)
            except (LoadError, OSError):
                self.tracker.changed |= noted
                raise
        self.loaded = state
        if self._flows_may_be_stale:
            self._flows_may_be_stale = False
            await forget_stale_flows(self._setting.run, state)

    async def switch(self, make: Factory) -> None:
        """Load the same by another mode, and then remove what the mode so far has in the kernel.

        Rules of both are there in between, and whichever a packet meets first serves it. Raises `LoadError`, and the
        mode is what it was then.
        """
        before, self.backend = self.backend, make(self._setting)
        self.forget()
        try:
            if self._wanted is not None:
                await self._load(self._wanted, None)
            await before.clean_up(keep=self.backend.owned)
        except LoadError:
            failed, self.backend = self.backend, before
            await failed.clean_up(keep=before.owned)
            raise
        self.loaded = self._wanted

    async def begin_anew(self, make: Factory) -> None:
        """Go on by another mode where the first one never loaded; what there may be of it goes, if it can."""
        failed, self.backend = self.backend, make(self._setting)
        self.forget()
        try:
            await failed.clean_up(keep=self.backend.owned)
        except LoadError as error:
            log.debug("mode %s was not cleaned up: %s", failed.mode, error)

    async def _load(self, state: ProxyState, changed: frozenset[PortName] | None) -> None:
        now, kind = self._setting.now, "full" if changed is None else "partial"
        started = now()
        missing = await self.backend.sync(state, changed)
        took = now() - started
        if changed is None:
            self._last_full = now()
        metrics = self.metrics
        metrics.observe("kubeproxy_sync_proxy_rules_duration_seconds", took)
        metrics.observe(f"kubeproxy_sync_{kind}_proxy_rules_duration_seconds", took)
        metrics.set("kubeproxy_sync_proxy_rules_last_timestamp_seconds", time.time())
        for policy, count in missing.items():
            metrics.set("kubeproxy_sync_proxy_rules_no_local_endpoints_total", count, traffic_policy=policy)
        log.debug("IPv%d: %s sync of %d ports took %.0f ms", self.family, kind, len(state.services), took * 1000)

    def _concerns(self, name: PortName, state: ProxyState) -> bool:
        """Endpoints whose Service is not known are nobody's business yet."""
        return name in state.services or (self.loaded is not None and name in self.loaded.services)

    def _must_be_full(self, state: ProxyState) -> bool:
        if self.loaded is None or self.loaded.node != state.node:
            return True
        return self._setting.now() - self._last_full > FULL_SYNC_SECONDS and not is_large(state)
