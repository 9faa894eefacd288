"""Which nodes a load balancer's address leads to, and keeping it so.

As cloud load balancers do since KEP-3458: every node is a candidate that does not say no by a label and is not being
deleted; which of them get traffic, their own health checks decide. For a Service with ``externalTrafficPolicy: Local``
that is its ``healthCheckNodePort``, which says whether the node has an endpoint; for every other it is kube-proxy's
``:10256/healthz`` (KEP-3836).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from kubelab.engine.balancer.health import is_healthy
from kubelab.engine.client import Client, Informer, Object
from kubelab.engine.client.resources import NODES, SERVICES
from kubelab.engine.config import LOAD_BALANCER_CIDR
from kubelab.engine.network.contract import OUTSIDE, NetworkLost, Place

log = logging.getLogger(__name__)

EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"
PROXY_HEALTH_PORT = 10256
CHECK_SECONDS = 0.5
"""Between two health checks (clouds: 3 to 10 s): a learner should not have to wait."""

PATIENCE_SECONDS = 10.0
"""For how long an address that has no healthy node left goes on leading to those that were healthy last.

Clouds take a node out after several failed checks. With ``externalTrafficPolicy: Local`` an only replica that is being
replaced serves meanwhile: its node fails the check at once, but kube-proxy there goes on using it (KEP-1669)."""

Check = tuple[str, int]
"""A node's address and the port of its health check."""


class Outside(Protocol):
    """Of `kubelab.engine.network.contract.Network` what a load balancer needs."""

    async def connect(self, place: Place, ip: str, port: int, *, timeout_seconds: float = 5) -> socket.socket:
        """See `Network.connect`."""
        ...

    async def balance(self, addresses: Mapping[str, Sequence[str]]) -> None:
        """See `Network.balance`."""
        ...


class LoadBalancer:
    """Run it with ``await run()``, which ends by cancellation only. Without such Services it asks nobody anything."""

    def __init__(self, client: Client, network: Outside) -> None:
        self._network = network
        self._services = Informer(client, SERVICES)
        self._nodes = Informer(client, NODES)
        self._changed = asyncio.Event()
        self._loaded: dict[str, list[str]] = {}
        self._alone: dict[str, float] = {}
        """Address → since when none of its nodes has been healthy (the loop's time)."""

    async def run(self) -> None:
        """Check and balance until cancelled."""
        async with asyncio.TaskGroup() as group:
            for informer in (self._services, self._nodes):
                group.create_task(informer.run())
                await informer.synced()
                informer.listen(lambda old, new: self._changed.set())
            while True:
                self._changed.clear()
                checks = checks_of(self._services.all(), self._nodes.all())
                await self._balance(checks)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), CHECK_SECONDS if checks else None)

    async def _balance(self, checks: dict[str, dict[str, Check]]) -> None:
        every = sorted({check for its in checks.values() for check in its.values()})
        healthy = dict(zip(every, await asyncio.gather(*map(self._is_healthy, every)), strict=True))
        wanted = {ip: self._nodes_for(ip, its, healthy) for ip, its in checks.items()}
        if wanted == self._loaded:
            return
        try:
            await self._network.balance(wanted)
            self._loaded = wanted
        except (OSError, NetworkLost) as error:
            log.error("load balancer addresses do not follow: %s", error)

    def _nodes_for(self, ip: str, checks: Mapping[str, Check], healthy: Mapping[Check, bool]) -> list[str]:
        """The healthy ones; when there is none, for a while those that were healthy last."""
        if names := [name for name, check in checks.items() if healthy[check]]:
            self._alone.pop(ip, None)
            return names
        now = asyncio.get_running_loop().time()
        patient = now - self._alone.setdefault(ip, now) < PATIENCE_SECONDS
        return [name for name in self._loaded.get(ip, ()) if patient and name in checks]

    async def _is_healthy(self, check: Check) -> bool:
        return await is_healthy(
            lambda ip, port, seconds: self._network.connect(OUTSIDE, ip, port, timeout_seconds=seconds), *check
        )


def checks_of(services: Iterable[Object], nodes: Iterable[Object]) -> dict[str, dict[str, Check]]:
    """For every load balancer's address the nodes that may serve it, and how each is asked."""
    candidates = {name: ip for node in nodes if (ip := _candidate_ip(node)) for name in [node["metadata"]["name"]]}
    return {
        address: {name: (ip, _health_port(service)) for name, ip in candidates.items()}
        for service in services
        for address in _addresses(service)
    }


def _candidate_ip(node: Object) -> str:
    meta = node["metadata"]
    if EXCLUDE_LABEL in (meta.get("labels") or {}) or meta.get("deletionTimestamp"):
        return ""
    addresses = (node.get("status") or {}).get("addresses") or ()
    return next((each["address"] for each in addresses if each["type"] == "InternalIP"), "")


def _health_port(service: Object) -> int:
    return int(service["spec"].get("healthCheckNodePort") or PROXY_HEALTH_PORT)


def _addresses(service: Object) -> list[str]:
    spec = service["spec"]
    if spec.get("type") != "LoadBalancer" or spec.get("loadBalancerClass"):
        return []
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    pool = {str(each) for each in LOAD_BALANCER_CIDR.hosts()}
    return [each["ip"] for each in ingress if each.get("ip") in pool]
