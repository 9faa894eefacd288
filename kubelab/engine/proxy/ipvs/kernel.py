"""A plan in a kernel that has IPVS, loaded by ``ipvsadm``, ``ipset``, ``iptables-restore`` and ``ip``.

kube-proxy talks to IPVS by netlink and runs one ``ipset`` for every entry; what comes out is the same. Not one of the
machines that this was written on has IPVS: the commands are tested as they are given, not by what a kernel does.
"""

from __future__ import annotations

import logging

from kubelab.engine.proxy.backend import LoadError, Setting
from kubelab.engine.proxy.ipvs.carrier import call, said
from kubelab.engine.proxy.ipvs.device import VirtualDevice
from kubelab.engine.proxy.ipvs.listing import open_connections, read_servers
from kubelab.engine.proxy.ipvs.plan import Plan
from kubelab.engine.proxy.ipvs.rules import FILTER_CHAINS, JUMPS, NAT_CHAINS
from kubelab.engine.proxy.ipvs.servers import Connections, RealKey, Servers, commands, drained_keys, not_ours
from kubelab.engine.proxy.ipvs.sets import empty_sets
from kubelab.engine.proxy.ipvs.sysctls import sysctls
from kubelab.engine.proxy.jumps import Owned, missing_jumps, removal
from kubelab.engine.proxy.loader import Loader

log = logging.getLogger(__name__)

OWNED = Owned(
    JUMPS,
    frozenset([*(("nat", chain) for chain in NAT_CHAINS), *(("filter", chain) for chain in FILTER_CHAINS)]),
)


class KernelIpvs:
    """As `Carrier`."""

    detail = ""
    owned = OWNED

    def __init__(self, setting: Setting) -> None:
        self._run = setting.run
        self._config = setting.config
        self._family = setting.family
        self._metrics = setting.metrics
        self._loader = Loader(setting.run, setting.family)
        self._device = VirtualDevice(setting.run, setting.family)
        self._prepared = False
        self._draining: frozenset[RealKey] = frozenset()

    async def servers(self) -> Servers:
        """As `Carrier.servers`: those that are kube-proxy's to change."""
        servers = read_servers(await call(self._run, ["ipvsadm", "-S", "-n"]))
        foreign = not_ours(servers, self._family, self._config.ipvs_exclude_cidrs)
        return {key: server for key, server in servers.items() if key not in foreign}

    async def connections(self) -> Connections:
        """As `Carrier.connections`."""
        return open_connections(await call(self._run, ["ipvsadm", "-L", "-n"]))

    async def load(self, plan: Plan, before: Servers, after: Servers) -> None:
        """As `Carrier.load`, in kube-proxy's order."""
        if not self._prepared:
            await self._prepare()
        prelude = missing_jumps(await self._loader.saved(), JUMPS, canary="")
        if prelude:
            await self._feed(prelude)
        await self._device.ensure()
        await self._ipset([each.create_line() for each in plan.sets.values()])
        kept = {**after, **{key: server for key, server in before.items() if key not in after}}
        await self.adjust(before, kept)
        await self._device.bind(plan.addresses)
        await self._entries(plan)
        await self._feed(plan.restore_text())
        await self._device.unbind_others(plan.addresses)
        await self.adjust(kept, after)

    async def adjust(self, before: Servers, after: Servers) -> None:
        """As `Carrier.adjust`."""
        if lines := commands(before, after, self._draining):
            await call(self._run, ["ipvsadm", "-R"], _text(lines))
        self._draining = drained_keys(after)

    async def gone(self) -> bool:
        """As `Carrier.gone`: kube-proxy does not look in this mode, and makes its jumps anew at every sync."""
        return False

    async def clean_up(self, keep: Owned) -> None:
        """As `Carrier.clean_up`."""
        if text := removal(await self._loader.saved(), self.owned, keep):
            await self._loader.feed(text)
        standing = await self.servers()
        await self.adjust(standing, {})
        await self._device.remove()
        for each in empty_sets(self._family).values():
            done = await self._run(["ipset", "destroy", each.name], b"")
            if done.code != 0:
                log.debug("the set %s stays: %s", each.name, said(done))

    async def _prepare(self) -> None:
        for setting in sysctls(self._config):
            done = await self._run(["sysctl", "-q", "-w", setting], b"")
            if done.code != 0:
                log.info("%s was not set: %s", setting, said(done))
        self._prepared = True

    async def _ipset(self, lines: list[str]) -> None:
        await call(self._run, ["ipset", "-exist", "restore"], _text(lines))

    async def _entries(self, plan: Plan) -> None:
        """Bring the sets' entries to the plan's."""
        listed = (await call(self._run, ["ipset", "save"])).splitlines()
        held = {line for line in listed if line.startswith("add ")}
        wanted = {line.removesuffix("/32").removesuffix("/128"): None for line in _add_lines(plan)}
        names = {each.name for each in plan.sets.values()}
        gone = [line for line in sorted(held) if line.split()[1] in names and line not in wanted]
        lines = [line.replace("add ", "del ", 1) for line in gone] + [line for line in wanted if line not in held]
        if lines:
            await self._ipset(lines)

    async def _feed(self, text: str) -> None:
        try:
            await self._loader.feed(text)
        except LoadError:
            self._metrics.add("kubeproxy_sync_proxy_rules_iptables_restore_failures_total")
            raise


def _add_lines(plan: Plan) -> list[str]:
    return [line for each in plan.sets.values() for line in each.add_lines()]


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
