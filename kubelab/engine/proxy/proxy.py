"""kube-proxy of one node: watches Services and EndpointSlices, keeps the node's rules true."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from kubelab.engine.client import Client, Informer, Object
from kubelab.engine.client.resources import ENDPOINTSLICES, NODES, SERVICES
from kubelab.engine.config import POD_CIDR
from kubelab.engine.options import ProxyMode
from kubelab.engine.plain_http import Listen
from kubelab.engine.proxy.addresses import contains, family_of
from kubelab.engine.proxy.backend import LoadError, StandsIn
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.endpoints import HEADLESS_LABEL, NodeView
from kubelab.engine.proxy.family import FULL_SYNC_SECONDS, FamilyProxy
from kubelab.engine.proxy.health import Health, HealthPorts, health_check_address, node_eligible, serve_status
from kubelab.engine.proxy.modes import BACKENDS
from kubelab.engine.proxy.schedule import BoundedRunner
from kubelab.engine.proxy.services import PROXY_NAME_LABEL
from kubelab.engine.proxy.tool import Finished, Run

log = logging.getLogger(__name__)

FALLBACK: ProxyMode = "iptables"


class KubeProxy:
    """Run it with ``await run()``, which ends by cancellation only and then leaves the rules as they are.

    ``run`` runs a tool in the node's network, ``listen`` (optional) opens sockets there for health checks. Without a
    ``config`` it is kube-proxy's as kind sets it: its defaults, and the cluster's pod range to tell local traffic by.
    """

    def __init__(
        self,
        client: Client,
        node_name: str,
        run: Run,
        *,
        mode: ProxyMode = "iptables",
        config: ProxyConfig | None = None,
        listen: Listen | None = None,
    ) -> None:
        self.mode = mode
        """What its rules are made by now."""
        self.config = config or ProxyConfig(cluster_cidr=str(POD_CIDR))
        self.node_name = node_name
        self._fell_back = ""
        self.synced = asyncio.Event()
        """Set once all rules have been loaded for the first time."""
        make = BACKENDS[mode]
        self.families = [FamilyProxy(run, self.config, family, node_name, make) for family in self.config.families]
        self._syncing = asyncio.Lock()
        self._run = run
        self._listen = listen
        self._services = Informer(client, SERVICES, query=(("labelSelector", f"!{PROXY_NAME_LABEL}"),))
        self._slices = Informer(client, ENDPOINTSLICES, query=(("labelSelector", f"!{HEADLESS_LABEL}"),))
        self._nodes = Informer(client, NODES, query=(("fieldSelector", f"metadata.name={node_name}"),))
        self._runner = BoundedRunner(
            self._sync,
            min_period=self.config.min_sync_period,
            retry_period=self.config.sync_period,
            max_period=FULL_SYNC_SECONDS,
        )
        self.health = Health(self._overdue, self.config.families)
        self._ports = HealthPorts(listen, self.health) if listen else None

    async def run(self) -> None:
        """Keep the rules true until cancelled."""
        informers = (self._services, self._slices, self._nodes)
        try:
            async with asyncio.TaskGroup() as group:
                for informer in informers:
                    group.create_task(informer.run())
                await self._allow_localhost()
                for informer in informers:
                    await informer.synced()
                for family in self.families:
                    self._services.listen(family.tracker.note_service)
                    self._slices.listen(family.tracker.note_slice)
                self._services.listen(self._notice)
                self._slices.listen(self._notice)
                self._nodes.listen(self._notice_node)
                self._runner.ask()
                group.create_task(self._runner.run())
                group.create_task(self._watch_canary())
                if self._listen is not None:
                    group.create_task(self._serve(self._listen))
        finally:
            if self._ports is not None:
                self._ports.close()

    async def switch(self, mode: ProxyMode) -> None:
        """Serve by another mode from now on, and leave nothing of the old one in the kernel; to its own mode: nothing.

        The new rules are loaded before the old ones go. Connections that are open go on: they live in conntrack,
        which belongs to no mode. Raises `LoadError` and `OSError`; the node then has the mode that it had.
        """
        await self.synced.wait()
        async with self._syncing:
            if mode == self.mode:
                return
            if BACKENDS.get(mode) is None:
                raise LoadError(f"mode {mode} is not there yet")
            before, done = self.mode, []
            try:
                for family in self.families:
                    await family.switch(BACKENDS[mode])
                    done.append(family)
            except (LoadError, OSError):
                for family in done:
                    await family.switch(BACKENDS[before])
                self._runner.ask()
                raise
            self.mode, self._fell_back = mode, ""
            await self._follow_health_checks()

    @property
    def detail(self) -> str:
        """What stands in for the mode, or for a part of it that the kernel lacks; empty where nothing does."""
        return self._fell_back or (self._stands_in.detail if self._stands_in else "")

    async def answer(self, argv: Sequence[str]) -> Finished | None:
        """What a tool of the mode would print here where the kernel lacks what it talks to; None: run the real one."""
        return await self._stands_in.answer(argv) if self._stands_in else None

    @property
    def _stands_in(self) -> StandsIn | None:
        backend = self.families[0].backend
        return backend if isinstance(backend, StandsIn) else None

    def metrics(self) -> str:
        """All families' metrics."""
        return "".join(family.metrics.text() for family in self.families)

    def _notice(self, old: Object | None, new: Object | None) -> None:
        self._runner.ask()

    def _notice_node(self, old: Object | None, new: Object | None) -> None:
        """A node's heartbeat changes nothing here; its addresses, zone and taints do."""
        if self._view(old) != self._view(new) or node_eligible(old) != node_eligible(new):
            self._runner.ask()

    def _view(self, node: Object | None) -> NodeView:
        return NodeView.of(self.node_name, node)

    def _overdue(self) -> bool:
        since = self._runner.asked_at
        return since is not None and asyncio.get_running_loop().time() - since > 2 * self.config.sync_period

    async def _sync(self) -> bool:
        """Sync every family; whether all succeeded. A mode that cannot even begin here gives way to iptables."""
        async with self._syncing:
            try:
                return await self._sync_families()
            except LoadError as error:
                await self._fall_back(error)
                return await self._sync_families()

    async def _fall_back(self, error: LoadError) -> None:
        """kube-proxy 1.36 would end and be started again, over and over; the cluster would not come up."""
        self._fell_back = f"in place of {self.mode}: {error}"
        log.warning("%s: kube-proxy serves by %s %s", self.node_name, FALLBACK, self._fell_back)
        self.mode = FALLBACK
        for family in self.families:
            await family.begin_anew(BACKENDS[FALLBACK])

    async def _sync_families(self) -> bool:
        """Raises `LoadError` when the mode cannot begin; later it is tried again instead."""
        node = self._nodes.get("", self.node_name)
        view = self._view(node)
        self.health.eligible = node_eligible(node)
        succeeded = True
        for family in self.families:
            try:
                await family.sync(view)
            except (LoadError, OSError) as error:
                if isinstance(error, LoadError) and self.mode != FALLBACK and not self.synced.is_set():
                    raise
                succeeded = False
                retry = self.config.sync_period
                log.error("%s: rules were not loaded, trying again in %g s: %s", self.node_name, retry, error)
        if succeeded:
            self.health.updated()
            self.synced.set()
        await self._follow_health_checks()
        return succeeded

    async def _follow_health_checks(self) -> None:
        if self._ports is not None and (state := self.families[0].loaded) is not None:
            await self._ports.follow(state, health_check_address(self.mode, self.config, state))

    async def _allow_localhost(self) -> None:
        """Let 127.0.0.1 be translated to a pod's address; KUBE-FIREWALL keeps others from making use of it."""
        ranges = [cidr for cidr in self.config.node_port_addresses if family_of(cidr) == 4]
        wanted = not ranges or any(contains(cidr, "127.0.0.1") for cidr in ranges)
        if self.config.localhost_node_ports and wanted and 4 in self.config.families:
            done = await self._run(["sysctl", "-q", "-w", "net.ipv4.conf.all.route_localnet=1"], b"")
            if done.code != 0:
                said = done.stderr.decode(errors="replace").strip()
                log.debug("%s: route_localnet was not set: %s", self.node_name, said)

    async def _watch_canary(self) -> None:
        """Notice within a sync period when somebody flushed the tables, and load everything again."""
        while True:
            await asyncio.sleep(self.config.sync_period)
            async with self._syncing:
                for family in self.families:
                    try:
                        gone = family.loaded is not None and await family.backend.gone()
                    except (LoadError, OSError) as error:
                        log.debug("%s: the canary was not looked for: %s", self.node_name, error)
                        continue
                    if gone:
                        log.info("%s: the tables were flushed; loading all rules again", self.node_name)
                        family.forget()
                        self._runner.ask()

    async def _serve(self, listen: Listen) -> None:
        async with await serve_status(listen, self.health, lambda: self.mode, self.metrics):
            await asyncio.get_running_loop().create_future()
