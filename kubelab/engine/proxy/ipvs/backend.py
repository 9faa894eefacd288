"""Mode ``ipvs``: in the kernel's IPVS, or where there is none, evaluated in its place."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from kubelab.engine.options import ProxyMode
from kubelab.engine.proxy.backend import Setting
from kubelab.engine.proxy.ipvs.carrier import Carrier
from kubelab.engine.proxy.ipvs.choice import choose
from kubelab.engine.proxy.ipvs.compiler import compile_plan
from kubelab.engine.proxy.ipvs.kernel import OWNED
from kubelab.engine.proxy.ipvs.plan import Plan
from kubelab.engine.proxy.ipvs.servers import Servers, by_key, drained_keys, may_drain, with_draining
from kubelab.engine.proxy.ipvs.standin.answers import Answer, answer
from kubelab.engine.proxy.ipvs.standin.carrier import StandIn
from kubelab.engine.proxy.jumps import Owned
from kubelab.engine.proxy.services import PortName
from kubelab.engine.proxy.state import ProxyState

DRAIN_SECONDS = 60.0
"""How often a real server that is being drained is asked whether it has connections left."""


class IpvsBackend:
    """As `Backend`.

    kube-proxy 1.36 goes through all Services at every sync in this mode; here what a change does not concern is taken
    from the plan before.
    """

    mode: ProxyMode = "ipvs"

    def __init__(self, setting: Setting) -> None:
        self.owned: Owned = OWNED
        """What it has in iptables' tables; the kernel's IPVS until it is known that there is none."""
        self._setting = setting
        self._carrier: Carrier | None = None
        self._plan: Plan | None = None
        """What was loaded last."""
        self._wanted: Servers = {}
        self._standing: Servers = {}
        self._looked = 0.0

    @property
    def detail(self) -> str:
        """What stands in for IPVS and why; empty where nothing does, and before the first sync."""
        return self._carrier.detail if self._carrier else ""

    async def sync(self, state: ProxyState, changed: Collection[PortName] | None) -> Mapping[str, int]:
        """As `Backend.sync`."""
        carrier = self._carrier = self._carrier or await choose(self._setting)
        self.owned = carrier.owned
        if changed is None:
            self._standing = await carrier.servers()
        before, self._plan = self._plan, None
        plan = compile_plan(state, self._setting.config, before=before, changed=changed)
        self._wanted = by_key(plan.virtual_servers)
        after = await self._with_draining(carrier)
        await carrier.load(plan, self._standing, after)
        self._standing, self._plan = after, plan
        return plan.without_local_endpoints

    async def gone(self) -> bool:
        """As `Backend.gone`; and where it is asked is the time to see who has no connections left."""
        if self._carrier is None:
            return False
        if await self._carrier.gone():
            return True
        now = self._setting.now()
        if drained_keys(self._standing) and now - self._looked >= DRAIN_SECONDS:
            after = await self._with_draining(self._carrier)
            await self._carrier.adjust(self._standing, after)
            self._standing = after
        return False

    async def answer(self, argv: Sequence[str]) -> Answer | None:
        """What ``ipvsadm`` or ``ipset`` would print, where there is no IPVS."""
        return await answer(self._carrier, argv) if isinstance(self._carrier, StandIn) else None

    async def clean_up(self, keep: Owned) -> None:
        """As `Backend.clean_up`."""
        if self._carrier is not None:
            await self._carrier.clean_up(keep)
        self._carrier, self._plan, self._standing = None, None, {}

    async def _with_draining(self, carrier: Carrier) -> Servers:
        if not may_drain(self._standing, self._wanted):
            return self._wanted
        self._looked = self._setting.now()
        return with_draining(self._standing, self._wanted, await carrier.connections())
