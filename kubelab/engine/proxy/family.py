"""Keeping one address family's rules in the kernel true to what the API says."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.conntrack import forget_stale_flows
from kubelab.engine.proxy.endpoints import NodeView
from kubelab.engine.proxy.iptables import Compiled, compile_rules, is_large
from kubelab.engine.proxy.jumps import nat_chains
from kubelab.engine.proxy.loader import Loader, LoadError
from kubelab.engine.proxy.metrics import Metrics
from kubelab.engine.proxy.services import PortName
from kubelab.engine.proxy.state import ProxyState
from kubelab.engine.proxy.tool import Run

log = logging.getLogger(__name__)

FULL_SYNC_SECONDS = 3600.0

Object = dict[str, Any]


class FamilyProxy:
    """One family of one node: remembers what is loaded, and loads the difference.

    Everything is loaded at first, after a failure, after somebody flushed the tables, when the node's view changes
    (its zone, its addresses) and once an hour; otherwise only what changed (KEP-3453).
    """

    def __init__(
        self,
        run: Run,
        config: ProxyConfig,
        family: int,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.family = family
        self.metrics = Metrics({"ip_family": f"IPv{family}"})
        self.loaded: ProxyState | None = None
        """What the kernel's rules were made of; None before the first success and after a failure."""
        self.loader = Loader(run, family)
        self._run = run
        self._config = config
        self._now = now
        self._last_full = 0.0
        self._last_cleanup = 0.0

    def forget(self) -> None:
        """Load everything next time."""
        self.loaded = None

    async def sync(self, node: NodeView, services: Iterable[Object], slices: Iterable[Object]) -> None:
        """Bring the kernel up to date. Raises `LoadError`; the next sync is then a full one."""
        state = ProxyState.of(node, services, slices, self.family)
        before, changed = self.loaded, self._changed(state)
        if changed is not None and not changed:
            return
        started = self._now()
        kind = "full" if changed is None else "partial"
        try:
            compiled = await self._load(state, changed)
        except LoadError:
            self.loaded = None
            self.metrics.add("kubeproxy_sync_proxy_rules_iptables_restore_failures_total")
            if changed is not None:
                self.metrics.add("kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total")
            raise
        self.loaded = state
        took = self._now() - started
        self._measure(compiled, kind, took)
        log.debug("IPv%d: %s sync of %d ports took %.0f ms", self.family, kind, len(state.services), took * 1000)
        await forget_stale_flows(self._run, state, _endpoints_changed(before, state))

    def _changed(self, state: ProxyState) -> frozenset[PortName] | None:
        """The ports to load; None for all of them."""
        if self.loaded is None or self.loaded.node != state.node:
            return None
        if self._now() - self._last_full > FULL_SYNC_SECONDS and not is_large(state):
            return None
        return state.changed_since(self.loaded)

    async def _load(self, state: ProxyState, changed: frozenset[PortName] | None) -> Compiled:
        full = changed is None
        existing: list[str] = []
        saved = None
        if full:
            saved = await self.loader.saved()
            existing = nat_chains(saved)
        elif not is_large(state) or self._now() - self._last_cleanup > self._config.sync_period:
            existing = nat_chains(await self.loader.saved("nat"))
        compiled = compile_rules(state, self._config, existing_chains=existing, changed=changed)
        await self.loader.load(compiled, saved=saved)
        if full:
            self._last_full = self._now()
        if existing:
            self._last_cleanup = self._now()
        return compiled

    def _measure(self, compiled: Compiled, kind: str, seconds: float) -> None:
        metrics = self.metrics
        metrics.observe("kubeproxy_sync_proxy_rules_duration_seconds", seconds)
        metrics.observe(f"kubeproxy_sync_{kind}_proxy_rules_duration_seconds", seconds)
        metrics.set("kubeproxy_sync_proxy_rules_last_timestamp_seconds", time.time())
        for script in (compiled.filter, compiled.nat):
            metrics.set("kubeproxy_sync_proxy_rules_iptables_total", script.counted, table=script.table)
            metrics.set("kubeproxy_sync_proxy_rules_iptables_last", len(script.rules), table=script.table)
        for policy, count in compiled.without_local_endpoints.items():
            metrics.set("kubeproxy_sync_proxy_rules_no_local_endpoints_total", count, traffic_policy=policy)


def _endpoints_changed(before: ProxyState | None, after: ProxyState) -> list[PortName]:
    """The ports whose endpoints are not what they were; at first, none: there are no flows of ours yet."""
    if before is None:
        return []
    return [name for name in after.services if before.endpoints_of(name) != after.endpoints_of(name)]
