"""kube-proxy's kind of rules, in the kernel of every node."""

from __future__ import annotations

import asyncio
import errno

import pytest

from kubelab.engine.config import nodes
from kubelab.engine.network.contract import OUTSIDE, node, pod

CONTROL_PLANE, WORKER, WORKER2 = nodes()
CLUSTER_IP, NODE_PORT = "10.96.0.80", 30080

# The shape of kube-proxy's iptables mode (kubernetes.io, Virtual IPs and Service Proxies), for one Service.
RULES = """\
*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-SVC-WEB - [0:0]
:KUBE-EXT-WEB - [0:0]
:KUBE-SEP-A - [0:0]
:KUBE-SEP-B - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
-A KUBE-POSTROUTING -j MASQUERADE
-A KUBE-SERVICES -d {ip}/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-WEB
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-NODEPORTS -p tcp -m tcp --dport {port} -j KUBE-EXT-WEB
-A KUBE-EXT-WEB -j KUBE-MARK-MASQ
-A KUBE-EXT-WEB -j KUBE-SVC-WEB
-A KUBE-SVC-WEB ! -s 10.244.0.0/16 -d {ip}/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
-A KUBE-SVC-WEB -m statistic --mode random --probability 0.5 -j KUBE-SEP-A
-A KUBE-SVC-WEB -j KUBE-SEP-B
-A KUBE-SEP-A -s {a}/32 -j KUBE-MARK-MASQ
-A KUBE-SEP-A -p tcp -m tcp -j DNAT --to-destination {a}:8080
-A KUBE-SEP-B -s {b}/32 -j KUBE-MARK-MASQ
-A KUBE-SEP-B -p tcp -m tcp -j DNAT --to-destination {b}:8080
COMMIT
*filter
-A FORWARD -m conntrack --ctstate INVALID -j DROP
-A OUTPUT -d 10.96.0.99/32 -p tcp -j REJECT
COMMIT
"""


@pytest.fixture
async def web(lab):
    """A Service with an endpoint on each worker, and a client pod on the control plane."""
    a, b = await lab.pod("a", WORKER), await lab.pod("b", WORKER2)
    await lab.pod("client", CONTROL_PLANE)
    rules = RULES.format(ip=CLUSTER_IP, port=NODE_PORT, a=a, b=b)
    for spec in nodes():
        await lab.tool(node(spec.name), ["iptables-restore", "--noflush"], rules)
    servers = [await lab.answer(pod("a"), a, 8080, "a"), await lab.answer(pod("b"), b, 8080, "b")]
    yield lab
    for server in servers:
        server.cancel()


async def both(lab, source, ip, port):
    """Ask until each endpoint has answered: the peers that they saw. 40 misses in a row have odds of 1e-12."""
    answers = await asyncio.gather(*(lab.ask(source, ip, port) for _ in range(40)))
    seen = dict(answer.split() for answer in answers)
    assert set(seen) == {"a", "b"}
    return seen


async def test_a_pod_reaches_both_endpoints_through_the_cluster_ip_as_itself(web):
    assert set((await both(web, pod("client"), CLUSTER_IP, 80)).values()) == {"10.244.0.2"}


async def test_an_endpoint_reaches_its_own_service_even_when_it_is_picked(web):
    seen = await both(web, pod("a"), CLUSTER_IP, 80)
    assert seen == {"a": "10.244.1.1", "b": "10.244.1.2"}


async def test_a_node_reaches_the_cluster_ip_and_its_own_node_port_on_loopback(web):
    await both(web, node(WORKER.name), CLUSTER_IP, 80)
    await both(web, node(WORKER.name), "127.0.0.1", NODE_PORT)


async def test_the_outside_reaches_node_ports_on_every_node_but_no_cluster_ip(web):
    for spec in nodes():
        await both(web, OUTSIDE, spec.ip, NODE_PORT)
    with pytest.raises(OSError) as refused:
        await web.ask(OUTSIDE, CLUSTER_IP, 80)
    assert refused.value.errno == errno.ENETUNREACH


async def test_a_rejected_destination_is_refused_at_once(web):
    with pytest.raises(ConnectionRefusedError):
        await web.ask(node(WORKER.name), "10.96.0.99", 80)


async def test_a_rule_set_longer_than_a_datagram_loads_and_prints(lab):
    rule = '-A KUBE-LONG -m comment --comment "{0}" -p tcp -m tcp --dport {0} -j RETURN\n'
    rules = "*filter\n:KUBE-LONG - [0:0]\n" + "".join(rule.format(port) for port in range(1, 1001)) + "COMMIT\n"
    assert len(rules) > 60_000
    restored = await lab.network.run(node(WORKER.name), ["iptables-restore", "--noflush"], stdin=rules.encode())
    if restored.code:
        pytest.skip(f"this kernel takes no long transaction from a plain user: {restored.stderr.decode()}")
    saved = await lab.tool(node(WORKER.name), ["iptables-save", "-t", "filter"])
    assert saved.stdout.count(b"KUBE-LONG") == 1001
