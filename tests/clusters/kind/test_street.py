"""The load balancer outside a kind cluster: its routes and rules, in a network namespace of their own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys

import pytest

from kubelab.clusters.kind import street
from kubelab.engine.apiserver import ApiServer
from kubelab.engine.balancer import balancer
from kubelab.engine.client import Client, InProcessTransport
from kubelab.engine.client.resources import NODES, SERVICES

PROGRAM = """
import asyncio, json, subprocess
from kubelab.clusters.kind.street import Street

class Nodes:
    async def get(self, resource, name):
        ip = {"demo-worker": "172.18.0.3", "demo-worker2": "172.18.0.4"}[name]
        return {"status": {"addresses": [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": ip}]}}

def sh(text):
    return subprocess.run(text, shell=True, capture_output=True, text=True, check=True).stdout

sh("ip link set lo up; ip link add eth0 type veth peer name other; ip addr add 172.18.0.9/16 dev eth0;"
   "ip link set eth0 up; ip link set other up; ip route add default via 172.18.0.1")

async def main():
    street = Street(Nodes())
    await street.balance({"172.18.255.1": ["demo-worker", "demo-worker2"]})
    before = sh("iptables-save -t mangle")
    await street.balance({"172.18.255.1": ["demo-worker2"], "172.18.255.2": []})
    print(json.dumps({
        "before": before, "after": sh("iptables-save -t mangle"), "rules": sh("ip rule"),
        "tables": [sh("ip route show table 101"), sh("ip route show table 102")],
        "way": sh("ip route get 172.18.255.1 mark 2"),
    }))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def seen() -> dict:
    """What the namespace's own tools say after two changes."""
    own = ["unshare", "--net", "--map-root-user"]
    tried = subprocess.run([*own, "iptables-save", "-t", "mangle"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"no network namespace with iptables here: {tried.stderr.strip()}")
    done = subprocess.run([*own, sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_addresss_connections_are_shared_by_its_nodes(seen):
    assert "-A OUTPUT -d 172.18.255.1/32 -j LB-172.18.255.1" in seen["before"]
    assert "--probability 0.5" in seen["before"]
    assert {"NODE-1", "NODE-2"} <= set(seen["before"].split())


def test_what_is_said_later_replaces_what_was_said_before(seen):
    assert "NODE-1" not in seen["after"].split()
    assert "-A OUTPUT -d 172.18.255.2/32 -j LB-172.18.255.2" in seen["after"]


def test_a_mark_leads_to_its_node(seen):
    assert [table.split()[2] for table in seen["tables"]] == ["172.18.0.3", "172.18.0.4"]
    assert "via 172.18.0.4" in seen["way"]
    assert seen["rules"].count("fwmark") == 2


async def test_a_service_gets_an_address_that_leads_to_the_healthy_node(monkeypatch):
    ran: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def command(*argv: str, stdin: str = "") -> None:
        ran.put_nowait((" ".join(argv), stdin))

    async def healthy(connect, ip: str, port: int) -> bool:
        return ip == "172.18.0.4"

    monkeypatch.setattr(street, "_command", command)
    monkeypatch.setattr(balancer, "is_healthy", healthy)
    server = ApiServer.open(":memory:")
    client = Client(InProcessTransport(server, "kubernetes-admin"))
    for name, ip in (("demo-worker", "172.18.0.3"), ("demo-worker2", "172.18.0.4")):
        await client.create(NODES, {"metadata": {"name": name}})
        status = {"status": {"addresses": [{"type": "InternalIP", "address": ip}]}}
        await client.patch(NODES, name, status, subresource="status")
    working = asyncio.create_task(street._work(client))
    try:
        web = {"metadata": {"name": "web"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}
        await client.create(SERVICES, web, "default")
        async with asyncio.timeout(20):
            while "172.18.255.1" not in (seen := await ran.get())[1]:
                before = seen
        assert before[0] == "ip rule add fwmark 1 lookup 101"
        assert "-A OUTPUT -d 172.18.255.1/32 -j LB-172.18.255.1" in seen[1]
        service = await client.get(SERVICES, "web", "default")
        assert service["status"]["loadBalancer"]["ingress"][0]["ip"] == "172.18.255.1"
    finally:
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
        await server.close()
