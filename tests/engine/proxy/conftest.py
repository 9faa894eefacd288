"""Services, EndpointSlices and nodes to compile, as short as the tests need them."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from kubelab.engine.client import ApiRequest, ApiResponse
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.endpoints import NodeView
from kubelab.engine.proxy.iptables import Compiled, compile_rules
from kubelab.engine.proxy.services import PortName
from kubelab.engine.proxy.state import ProxyState
from kubelab.rules import RestoreError, Ruleset

NODE = "kubelab-worker"
NODE_IP = "172.18.0.3"


def service(
    name: str,
    cluster_ip: str,
    *,
    port: int = 80,
    port_name: str = "p80",
    protocol: str = "TCP",
    namespace: str = "ns1",
    node_port: int | None = None,
    vips: tuple[str, ...] = (),
    **spec: Any,
) -> dict[str, Any]:
    ports: dict[str, Any] = {"port": port, "protocol": protocol}
    if port_name:
        ports["name"] = port_name
    if node_port:
        ports["nodePort"] = node_port
    return {
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": "1"},
        "spec": {"clusterIP": cluster_ip, "clusterIPs": [cluster_ip], "type": "ClusterIP", "ports": [ports], **spec},
        "status": {"loadBalancer": {"ingress": [{"ip": ip} for ip in vips]}},
    }


def endpoint(ip: str, *, node: str | None = "elsewhere", hints: dict[str, Any] | None = None, **conditions: bool):
    return {
        "addresses": [ip],
        "conditions": {"ready": True, "serving": True, "terminating": False, **conditions},
        **({"nodeName": node} if node else {}),
        **({"hints": hints} if hints else {}),
    }


def endpointslice(
    service: str,
    *endpoints: dict[str, Any] | str,
    port: int = 80,
    port_name: str = "p80",
    protocol: str = "TCP",
    namespace: str = "ns1",
    name: str = "",
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name or f"{service}-abcde",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service},
            "resourceVersion": "1",
        },
        "addressType": "IPv4",
        "ports": [{"name": port_name, "port": port, "protocol": protocol}],
        "endpoints": [endpoint(each) if isinstance(each, str) else each for each in endpoints],
    }


def state(services: list[dict[str, Any]], slices: list[dict[str, Any]] = (), *, zone: str = "") -> ProxyState:
    return ProxyState.of(NodeView(NODE, (NODE_IP,), zone), services, slices)


def compiled(services: list[dict[str, Any]], slices: list[dict[str, Any]] = (), **config: Any) -> Compiled:
    settings = ProxyConfig(**{"cluster_cidr": "10.244.0.0/16", **config})
    return compile_rules(state(services, slices), settings)


def changed_ports(before: ProxyState, after: ProxyState) -> set[PortName]:
    """The ports that differ, and those that are gone."""

    def same(name: PortName) -> bool:
        ports = before.services.get(name), after.services.get(name)
        return ports[0] == ports[1] and before.endpoints_of(name) == after.endpoints_of(name)

    return {name for name in before.services | after.services if not same(name)}


@pytest.fixture
def make() -> SimpleNamespace:
    return SimpleNamespace(
        changed_ports=changed_ports,
        service=service,
        endpoint=endpoint,
        slice=endpointslice,
        state=state,
        compiled=compiled,
        node=NODE,
        node_ip=NODE_IP,
    )


class Done(NamedTuple):
    code: int
    stdout: bytes = b""
    stderr: bytes = b""


class Kernel:
    """A node's tables behind the tools that kube-proxy runs, kept by the rule model."""

    def __init__(self) -> None:
        self.rules = Ruleset()
        self.calls: list[list[str]] = []
        self.longest: int | None = None
        """Lines that fit into one table's transaction."""
        self.broken = ""
        """What every restore fails with."""
        self.flows = b""
        self.watch = lambda text: None
        """Called after every restore."""
        self.stirred = asyncio.Event()
        """Set by every restore."""

    async def until(self, condition) -> None:
        """Wait for a condition on the rules, looking after every restore."""
        async with asyncio.timeout(5):
            while not condition():
                self.stirred.clear()
                await self.stirred.wait()

    def count(self, program: str) -> int:
        return sum(call[0] == program for call in self.calls)

    async def run(self, argv, stdin):
        self.calls.append(list(argv))
        match argv[0]:
            case "iptables-save":
                return Done(0, self.rules.save(argv[2] if len(argv) > 1 else None).encode())
            case "iptables-restore":
                return self._restore(stdin.decode())
            case "conntrack":
                return Done(0, self.flows)
        return Done(127, b"", b"not found")

    def _restore(self, text: str) -> Done:
        if self.broken:
            return Done(1, b"", self.broken.encode())
        if self.longest and any(block.count("\n") > self.longest for block in text.split("COMMIT")):
            return Done(1, b"", b"sendmsg() failed: Message too long")
        self.stirred.set()
        try:
            self.rules.restore(text)
        except RestoreError as error:
            return Done(error.code, b"", str(error).encode())
        self.watch(text)
        return Done(0)


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


class Api:
    """Lists and watches of objects by collection path, for a client in the same process."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self.version = 1
        self._watchers: list[tuple[str, asyncio.Queue[bytes]]] = []

    def put(self, path: str, obj: dict[str, Any]) -> None:
        self.version += 1
        known = self.objects[path]
        kind = "MODIFIED" if obj["metadata"]["name"] in known else "ADDED"
        stored = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        known[obj["metadata"]["name"]] = stored
        for watched, queue in self._watchers:
            if watched == path:
                queue.put_nowait(json.dumps({"type": kind, "object": stored}).encode() + b"\n")

    async def handle(self, request: ApiRequest) -> ApiResponse:
        if ("watch", "true") in request.query:
            return ApiResponse(200, self._watch(request.path))
        items = list(self.objects[request.path].values())
        body = {"metadata": {"resourceVersion": str(self.version)}, "items": items}
        return ApiResponse(200, json.dumps(body).encode())

    async def _watch(self, path: str):
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._watchers.append((path, queue))
        while True:
            yield await queue.get()


@pytest.fixture
def api() -> Api:
    return Api()
