"""What a proxy tells over HTTP: its health, its mode, and whether a load balancer's Service has endpoints here."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from kubelab.engine.client import Object
from kubelab.engine.options import ProxyMode
from kubelab.engine.plain_http import Answer, Handler, Listen, serve
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.endpoints import node_ip
from kubelab.engine.proxy.state import ProxyState

log = logging.getLogger(__name__)

HEALTHZ_PORT = 10256
METRICS_PORT = 10249

DELETION_TAINT = "ToBeDeletedByClusterAutoscaler"

_JSON = "application/json; charset=utf-8"


def node_eligible(node: Object | None) -> bool:
    """Whether load balancers should send traffic to the node: not while it is being deleted (KEP-3836)."""
    if node is None:
        return True
    taints = (node.get("spec") or {}).get("taints") or ()
    return "deletionTimestamp" not in node["metadata"] and all(taint["key"] != DELETION_TAINT for taint in taints)


class Health:
    """How the proxy is. ``overdue`` says whether a sync has been waiting for too long; families are 4, 6 or both."""

    def __init__(self, overdue: Callable[[], bool], families: Sequence[int] = (4,)) -> None:
        self._overdue = overdue
        self._families = families
        self._updated = datetime.now(UTC)
        self.eligible = True

    def updated(self) -> None:
        """A sync succeeded now."""
        self._updated = datetime.now(UTC)

    @property
    def healthy(self) -> bool:
        """Whether rules follow the API."""
        return not self._overdue()

    def answer(self, path: str) -> Answer | None:
        """``/healthz`` (also: is the node eligible) and ``/livez``."""
        if path not in ("/healthz", "/livez"):
            return None
        healthy = self.healthy and (self.eligible or path == "/livez")
        now = datetime.now(UTC)
        loaded = {"lastUpdated": _text(now if self.healthy else self._updated), "healthy": self.healthy}
        body = {
            "lastUpdated": _text(now if healthy else self._updated),
            "currentTime": _text(now),
            **({"nodeEligible": self.eligible} if path == "/healthz" else {}),
            "healthy": healthy,
            "status": {f"IPv{family}": loaded for family in self._families},
        }
        return Answer(json.dumps(body), 200 if healthy else 503, _JSON)


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


class HealthPorts:
    """The ``healthCheckNodePort`` of every Service that has one (type LoadBalancer, externalTrafficPolicy Local)."""

    def __init__(self, listen: Listen, health: Health) -> None:
        self._listen = listen
        self._health = health
        self._servers: dict[tuple[str, int], asyncio.Server] = {}
        self._services: dict[int, tuple[str, str, int]] = {}

    async def follow(self, state: ProxyState, ip: str = "0.0.0.0") -> None:
        """Open and close ports so that they are those of the Services, on this address."""
        self._services = _health_checks(state)
        wanted = {(ip, port) for port in self._services}
        for at in self._servers.keys() - wanted:
            self._servers.pop(at).close()
        for ip, port in sorted(wanted - self._servers.keys()):
            try:
                self._servers[ip, port] = await serve(await self._listen(ip, port), self._handler(port))
            except OSError as error:
                log.warning("health check node port %d cannot be opened: %s", port, error)

    def close(self) -> None:
        """Close every port."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()

    def _handler(self, port: int) -> Handler:
        return lambda _: self._answer(port)

    def _answer(self, port: int) -> Answer:
        namespace, name, count = self._services.get(port, ("", "", 0))
        healthy = self._health.healthy
        body = {
            "service": {"namespace": namespace, "name": name},
            "localEndpoints": count,
            "serviceProxyHealthy": healthy,
        }
        headers = {"X-Load-Balancing-Endpoint-Weight": str(count), "X-Content-Type-Options": "nosniff"}
        return Answer(json.dumps(body), 200 if count and healthy else 503, "application/json", headers)


def health_check_address(mode: ProxyMode, config: ProxyConfig, state: ProxyState) -> str:
    """Where these ports listen: like NodePorts, in mode nftables on the node's own address alone by default."""
    primary = mode == "nftables" and not config.node_port_addresses
    return node_ip(state.node, state.family) if primary else "0.0.0.0"


def _health_checks(state: ProxyState) -> dict[int, tuple[str, str, int]]:
    """Port → namespace, name and number of distinct ready endpoints on this node."""
    local: dict[int, set[str]] = {}
    names: dict[int, tuple[str, str]] = {}
    for name, port in state.services.items():
        if number := port.health_check_node_port:
            names[number] = (name.namespace, name.service)
            ips = {each.ip for each in state.endpoints_of(name) if each.local and each.ready}
            local.setdefault(number, set()).update(ips)
    return {number: (*name, len(local[number])) for number, name in names.items()}


async def serve_status(
    listen: Listen, health: Health, mode: Callable[[], str], metrics: Callable[[], str]
) -> AsyncExitStack:
    """Open ``0.0.0.0:10256`` (health) and ``127.0.0.1:10249`` (mode, metrics); closing the stack closes them."""
    fixed = {"/proxyMode": mode, "/metrics": metrics, "/healthz": lambda: "ok"}

    def status(path: str) -> Answer | None:
        return Answer(fixed[path]()) if path in fixed else None

    handlers: list[tuple[str, int, Handler]] = [
        ("0.0.0.0", HEALTHZ_PORT, health.answer),
        ("127.0.0.1", METRICS_PORT, status),
    ]
    stack = AsyncExitStack()
    for ip, port, handler in handlers:
        try:
            server = await serve(await listen(ip, port), handler)
            stack.callback(server.close)
        except OSError as error:
            log.warning("%s:%d cannot be opened: %s", ip, port, error)
    return stack
