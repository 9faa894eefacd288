"""kube-proxy of one node: watches Services and EndpointSlices, keeps the node's rules true."""

from __future__ import annotations

import asyncio
import logging

from kubelab.engine.client import Client, Informer, Object
from kubelab.engine.client.resources import ENDPOINTSLICES, NODES, SERVICES
from kubelab.engine.config import POD_CIDR
from kubelab.engine.plain_http import Listen
from kubelab.engine.proxy.addresses import contains, family_of
from kubelab.engine.proxy.backend import LoadError
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.endpoints import HEADLESS_LABEL, NodeView
from kubelab.engine.proxy.family import FULL_SYNC_SECONDS, FamilyProxy
from kubelab.engine.proxy.health import Health, HealthPorts, node_eligible, serve_status
from kubelab.engine.proxy.schedule import BoundedRunner
from kubelab.engine.proxy.services import PROXY_NAME_LABEL
from kubelab.engine.proxy.tool import Run

log = logging.getLogger(__name__)

MODE = "iptables"


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
        config: ProxyConfig | None = None,
        listen: Listen | None = None,
    ) -> None:
        self.config = config or ProxyConfig(cluster_cidr=str(POD_CIDR))
        self.node_name = node_name
        self.synced = asyncio.Event()
        """Set once all rules have been loaded for the first time."""
        self.families = [FamilyProxy(run, self.config, family) for family in self.config.families]
        self._run = run
        self._listen = listen
        own = f"!{PROXY_NAME_LABEL}"
        self._services = Informer(client, SERVICES, query=(("labelSelector", own),))
        self._slices = Informer(client, ENDPOINTSLICES, query=(("labelSelector", f"!{HEADLESS_LABEL},{own}"),))
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
        """Sync every family; whether all succeeded."""
        node = self._nodes.get("", self.node_name)
        view, services, slices = self._view(node), self._services.all(), self._slices.all()
        self.health.eligible = node_eligible(node)
        succeeded = True
        for family in self.families:
            try:
                await family.sync(view, services, slices)
            except (LoadError, OSError) as error:
                succeeded = False
                retry = self.config.sync_period
                log.error("%s: rules were not loaded, trying again in %g s: %s", self.node_name, retry, error)
        if succeeded:
            self.health.updated()
            self.synced.set()
        if self._ports is not None and self.families[0].loaded is not None:
            await self._ports.follow(self.families[0].loaded)
        return succeeded

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
        async with await serve_status(listen, self.health, MODE, self.metrics):
            await asyncio.get_running_loop().create_future()
