"""Mode ``iptables`` in the kernel: what to list, what to write again, what to count."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kubelab.engine.options import ProxyMode
from kubelab.engine.proxy.backend import LoadError, Setting
from kubelab.engine.proxy.iptables import FILTER_CHAINS, NAT_CHAINS, Compiled, compile_rules, is_large
from kubelab.engine.proxy.iptables_difference import difference
from kubelab.engine.proxy.jumps import CANARY, CANARY_TABLES, JUMPS, Owned, nat_chains, removal
from kubelab.engine.proxy.loader import Loader
from kubelab.engine.proxy.names import STALE_PREFIXES
from kubelab.engine.proxy.script import TableScript
from kubelab.engine.proxy.services import PortName
from kubelab.engine.proxy.state import ProxyState


class IptablesBackend:
    """Writes what all Services share at every sync, and of a Service's own chains those that changed (KEP-3453).

    In a large cluster, and where transactions are confined, single rules of what Services share.
    """

    mode: ProxyMode = "iptables"
    owned = Owned(
        JUMPS,
        frozenset(
            [
                *(("filter", chain) for chain in (*FILTER_CHAINS, "KUBE-FIREWALL")),
                *(("nat", chain) for chain in NAT_CHAINS),
                *((table, CANARY) for table in CANARY_TABLES),
            ]
        ),
        STALE_PREFIXES,
    )

    def __init__(self, setting: Setting) -> None:
        self.loader = Loader(setting.run, setting.family)
        self._config = setting.config
        self._metrics = setting.metrics
        self._loaded: Compiled | None = None

    async def sync(self, state: ProxyState, changed: Collection[PortName] | None) -> Mapping[str, int]:
        """As `Backend.sync`."""
        try:
            compiled, scripts = await self._load(state, changed)
        except LoadError:
            self._metrics.add("kubeproxy_sync_proxy_rules_iptables_restore_failures_total")
            if changed is not None:
                self._metrics.add("kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total")
            raise
        self._loaded = compiled
        for whole, script in zip((compiled.filter, compiled.nat), scripts, strict=True):
            self._metrics.set("kubeproxy_sync_proxy_rules_iptables_total", whole.counted, table=whole.table)
            self._metrics.set("kubeproxy_sync_proxy_rules_iptables_last", len(script.rules), table=whole.table)
        return compiled.without_local_endpoints

    async def gone(self) -> bool:
        """As `Backend.gone`, by the canaries."""
        return await self.loader.canary_gone()

    async def clean_up(self, keep: Owned) -> None:
        """As `Backend.clean_up`."""
        if text := removal(await self.loader.saved(), self.owned, keep):
            await self.loader.feed(text)

    async def _load(
        self, state: ProxyState, changed: Collection[PortName] | None
    ) -> tuple[Compiled, tuple[TableScript, TableScript]]:
        """What is there afterwards, and what was written for it."""
        before, self._loaded = self._loaded, None
        if changed is None or before is None:
            saved = await self.loader.saved()
            compiled = compile_rules(state, self._config, existing_chains=nat_chains(saved))
            scripts = compiled.filter, compiled.nat
            await self.loader.load(*scripts, saved=saved)
        elif is_large(state) or self.loader.confined:
            compiled = compile_rules(state, self._config, changed=changed, before=before)
            scripts = difference(before, compiled)
            await self.loader.load(*scripts)
        else:
            chains = nat_chains(await self.loader.saved("nat"))
            compiled = compile_rules(state, self._config, existing_chains=chains, changed=changed, before=before)
            scripts = compiled.filter, compiled.nat
            await self.loader.load(*scripts)
        return compiled, scripts
