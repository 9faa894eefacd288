"""A plan in a kernel without IPVS: loaded as an nft table that does the same, see `standin.table`."""

from __future__ import annotations

import logging

from kubelab.engine.proxy.backend import LoadError, Setting
from kubelab.engine.proxy.ipvs.conntrack import counted
from kubelab.engine.proxy.ipvs.device import VirtualDevice
from kubelab.engine.proxy.ipvs.plan import Key, Plan
from kubelab.engine.proxy.ipvs.servers import Connections, Servers
from kubelab.engine.proxy.ipvs.standin.changes import changes, delete_chains, delete_table, table_name, whole
from kubelab.engine.proxy.ipvs.standin.table import SchedulerError, Table, stand_in
from kubelab.engine.proxy.jumps import Owned
from kubelab.engine.proxy.nftables.nft import Nft

log = logging.getLogger(__name__)


class StandIn:
    """As `Carrier`. ``in_kernel`` says whether a kernel holds rules and addresses at all."""

    owned = Owned()

    def __init__(self, setting: Setting, reason: str, *, in_kernel: bool = True) -> None:
        self.detail = f"evaluated: {reason}"
        self.plan: Plan | None = None
        """What was loaded last."""
        self._run = setting.run
        self._nft = Nft(setting.run, "mode ipvs, which this kernel lacks and kubelab evaluates,")
        self._config = setting.config
        self._family = setting.family
        self._servers: Servers = {}
        self._table: Table | None = None
        self._stale: tuple[str, ...] = ()
        self._device = VirtualDevice(setting.run, setting.family, ("dummy", "bridge")) if in_kernel else None

    async def servers(self) -> Servers:
        """As `Carrier.servers`."""
        return self._servers

    async def connections(self) -> Connections:
        """As `Carrier.connections`: the kernel's connection tracking knows them; none without ``conntrack``."""
        return counted(await self.flows(), self._servers)

    async def flows(self) -> str:
        """What ``conntrack -L`` says; nothing without the tool."""
        done = await self._run(["conntrack", "-L", "-f", f"ipv{self._family}"], b"")
        return done.stdout.decode(errors="replace") if done.code == 0 else ""

    async def load(self, plan: Plan, before: Servers, after: Servers) -> None:
        """As `Carrier.load`."""
        table, self._table = self._table, None
        try:
            wanted = stand_in(plan, after.values())
        except SchedulerError as error:
            raise LoadError(str(error)) from error
        sync = whole(wanted) if table is None else changes(table, wanted, self._stale)
        await self._nft.feed(sync)
        if table is None or self.plan is None or self.plan.addresses != plan.addresses:
            await self._bind(plan)
        self._table, self._stale, self.plan, self._servers = wanted, sync.stale, plan, after
        for key in before:
            if key not in after:
                await self._end_connections(key)

    async def adjust(self, before: Servers, after: Servers) -> None:
        """As `Carrier.adjust`."""
        if self.plan is not None and before != after:
            await self.load(self.plan, before, after)

    async def gone(self) -> bool:
        """As `Carrier.gone`. Chains that stayed because the kernel still held on to them go now."""
        if self._table is None:
            return False
        if f"table {table_name(self._family)}" not in (await self._nft("list", "tables")).splitlines():
            self._table = None
            return True
        await self._delete_stale()
        return False

    async def clean_up(self, keep: Owned) -> None:
        """As `Carrier.clean_up`."""
        self._table, self._servers, self.plan = None, {}, None
        await self._nft("-f", "-", stdin=delete_table(self._family))
        if self._device:
            await self._device.remove()

    async def counters(self) -> str:
        """The table as ``nft`` lists it, which has how many connections each real server was given."""
        return await self._nft("list", "table", *table_name(self._family).split())

    async def _delete_stale(self) -> None:
        if not self._stale:
            return
        try:
            await self._nft("-f", "-", stdin=delete_chains(self._family, self._stale))
        except LoadError as error:
            log.warning("chains that nobody needs were not deleted, trying again later: %s", error)
        else:
            self._stale = ()

    async def _bind(self, plan: Plan) -> None:
        if self._device is None:
            return
        if not await self._device.ensure():
            log.info("this kernel has no device for virtual addresses; they are translated without one")
            self._device = None
            return
        await self._device.bind(plan.addresses)
        await self._device.unbind_others(plan.addresses)

    async def _end_connections(self, key: Key) -> None:
        """IPVS ends the connections of a virtual server that is gone (expire_nodest_conn)."""
        address, port, protocol = key
        where = ["-f", f"ipv{self._family}", "-p", protocol, "-d", address, "--orig-port-dst", str(port)]
        await self._run(["conntrack", "-D", *where], b"")
