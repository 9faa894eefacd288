"""Mode ``nftables`` in the kernel: one table a family, of which a sync changes what differs.

kube-proxy 1.36 lists its table before every sync, which in a large one costs more than the change; what was loaded
last is remembered here instead, and listed only before everything is written.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from kubelab.engine.options import ProxyMode
from kubelab.engine.proxy.backend import LoadError, Setting
from kubelab.engine.proxy.jumps import Owned
from kubelab.engine.proxy.nftables.compiler import Table, compile_table
from kubelab.engine.proxy.nftables.listing import Listing, list_command
from kubelab.engine.proxy.nftables.nft import Nft
from kubelab.engine.proxy.nftables.objects import TABLE, WORDS
from kubelab.engine.proxy.nftables.sync import Sync, changes, delete_chains, first_sync, sync
from kubelab.engine.proxy.services import PortName
from kubelab.engine.proxy.state import ProxyState

log = logging.getLogger(__name__)

STALE_SECONDS = 1.0
"""How long a chain that nobody needs is kept, see `Sync.stale`."""

_ABSENT = "No such file or directory"


class NftablesBackend:
    """Loads with ``nft``."""

    mode: ProxyMode = "nftables"
    owned = Owned()

    def __init__(self, setting: Setting) -> None:
        self._nft = Nft(setting.run, "mode nftables")
        self._config = setting.config
        self._family = setting.family
        self._ip = WORDS[setting.family].ip
        self._metrics = setting.metrics
        self._now = setting.now
        self._begun = False
        self._loaded: Table | None = None
        self._stale: dict[str, float] = {}
        """Chains that nobody needs any more, and since when."""

    async def sync(self, state: ProxyState, changed: Collection[PortName] | None) -> Mapping[str, int]:
        """As `Backend.sync`."""
        before, self._loaded = self._loaded if changed is not None else None, None
        await self._delete_stale()
        table = compile_table(state, self._config, self._config.service_cidrs, before=before, changed=changed)
        try:
            difference = await self._difference(before, table)
            await self._nft.feed(difference)
        except LoadError:
            self._metrics.add("kubeproxy_sync_proxy_rules_nftables_sync_failures_total")
            raise
        self._loaded, self._begun = table, True
        self._stale = {name: self._stale.get(name, self._now()) for name in difference.stale}
        return table.without_local_endpoints

    async def gone(self) -> bool:
        """Whether the table is gone. kube-proxy 1.36 does not look: its next sync fails, and the one after mends."""
        chains = await self._nft("list", "chains", self._ip)
        return f"table {self._ip} {TABLE} {{" not in chains

    async def clean_up(self, keep: Owned) -> None:
        """As `Backend.clean_up`."""
        self._loaded, self._begun, self._stale = None, False, {}
        table = f"table {self._ip} {TABLE}"
        await self._nft("-f", "-", stdin=f"add {table}\ndelete {table}\n")

    async def _difference(self, before: Table | None, table: Table) -> Sync:
        if before is not None:
            return changes(before, table, self._stale)
        kernel = await self._listing()
        return sync(table, kernel) if self._begun else first_sync(table, kernel)

    async def _listing(self) -> Listing:
        try:
            return Listing.read(await self._nft(*list_command(self._family)[1:]))
        except LoadError as error:
            if _ABSENT not in str(error):
                raise
            return Listing()

    async def _delete_stale(self) -> None:
        """Delete the chains that have been stale for long enough; those that the kernel keeps are tried again later."""
        due = [name for name, since in self._stale.items() if self._now() - since >= STALE_SECONDS]
        if not due:
            return
        try:
            await self._nft("-f", "-", stdin=delete_chains(self._family, due))
        except LoadError as error:
            log.warning("stale chains were not deleted: %s", error)
            self._metrics.add("kubeproxy_sync_proxy_rules_nftables_cleanup_failures_total")
            self._stale.update(dict.fromkeys(due, self._now()))
            return
        for name in due:
            del self._stale[name]
