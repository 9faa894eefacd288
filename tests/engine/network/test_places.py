"""Nodes, pods and the outside: who reaches whom, with which address."""

from __future__ import annotations

import errno
import os

import pytest

from kubelab.engine.config import nodes
from kubelab.engine.network.contract import OUTSIDE, node, pod
from kubelab.engine.network.start import start_network

CONTROL_PLANE, WORKER, WORKER2 = nodes()


async def test_pods_reach_each_other_across_nodes_with_their_own_addresses(lab):
    a, b = await lab.pod("a", WORKER), await lab.pod("b", WORKER2)
    server = await lab.answer(pod("b"), b, 80, "b")
    assert await lab.ask(pod("a"), b, 80) == f"b {a}"
    server.cancel()


async def test_pods_of_one_node_reach_each_other_and_themselves(lab):
    a, b = await lab.pod("a", last=2), await lab.pod("b", last=3)
    server = await lab.answer(pod("b"), b, 80, "b")
    assert await lab.ask(pod("a"), b, 80) == f"b {a}"
    assert await lab.ask(pod("b"), b, 80) == f"b {b}"
    server.cancel()


async def test_a_node_reaches_pods_here_and_there(lab):
    a, b = await lab.pod("a", WORKER), await lab.pod("b", WORKER2)
    servers = [await lab.answer(pod("a"), a, 80, "a"), await lab.answer(pod("b"), b, 80, "b")]
    assert await lab.ask(node(WORKER.name), a, 80) == "a 10.244.1.1"
    assert await lab.ask(node(WORKER.name), b, 80) == f"b {WORKER.ip}"
    for server in servers:
        server.cancel()


async def test_a_pod_reaches_the_outside_and_the_outside_reaches_nodes_but_no_pod(lab):
    ip = await lab.pod("a")
    servers = [
        await lab.answer(OUTSIDE, "172.18.0.1", 8080, "outside"),
        await lab.answer(node(WORKER.name), WORKER.ip, 80, "worker"),
    ]
    assert (await lab.ask(node(WORKER2.name), "172.18.0.1", 8080)).startswith("outside")
    assert await lab.ask(OUTSIDE, WORKER.ip, 80) == "worker 172.18.0.1"
    with pytest.raises(OSError) as refused:
        await lab.ask(OUTSIDE, ip, 80)
    assert refused.value.errno == errno.ENETUNREACH
    for server in servers:
        server.cancel()


async def test_a_closed_port_refuses_and_what_is_sent_to_a_removed_pod_vanishes(lab):
    ip = await lab.pod("a")
    with pytest.raises(ConnectionRefusedError):
        await lab.ask(pod("a"), ip, 80)
    await lab.network.remove_pod("a")
    await lab.network.remove_pod("a")
    with pytest.raises(OSError) as refused:
        await lab.ask(pod("a"), ip, 80)
    assert refused.value.errno == errno.ENETUNREACH
    with pytest.raises(TimeoutError):
        await lab.network.connect(node(WORKER.name), ip, 80, timeout_seconds=0.2)


async def test_an_address_can_be_given_again_after_its_pod_is_gone(lab):
    for uid in ("first", "second"):
        ip = await lab.pod(uid)
        server = await lab.answer(pod(uid), ip, 80, uid)
        assert (await lab.ask(node(WORKER.name), ip, 80)).startswith(uid)
        server.cancel()
        await lab.network.remove_pod(uid)


async def test_a_place_is_made_once_and_only_on_a_node_that_there_is(lab):
    await lab.pod("a")
    with pytest.raises(FileExistsError):
        await lab.pod("a", last=3)
    with pytest.raises(FileExistsError):
        await lab.network.add_node(WORKER)
    with pytest.raises(LookupError, match="nowhere"):
        await lab.network.add_pod("b", "nowhere", "10.244.9.2")


async def test_udp_sockets_stand_in_their_place(lab):
    ip = await lab.pod("a")
    with (
        await lab.network.listen(pod("a"), ip, 53, udp=True) as server,
        await lab.network.listen(node(WORKER.name), "0.0.0.0", 0, udp=True) as client,
    ):
        client.sendto(b"?", (ip, 53))
        server.settimeout(5)
        data, (sender, _) = server.recvfrom(10)
    assert (data, sender) == (b"?", "10.244.1.1")


async def test_clusters_side_by_side_have_the_same_addresses_and_never_meet(lab, tmp_path):
    other = await start_network(tmp_path / "other", lab.network.tier)
    try:
        await other.add_node(WORKER)
        ip = await lab.pod("a")
        await other.add_pod("a", WORKER.name, ip)
        server = await lab.answer(pod("a"), ip, 80, "ours")
        assert (await lab.ask(node(WORKER.name), ip, 80)).startswith("ours")
        with pytest.raises(ConnectionRefusedError):
            await other.connect(node(WORKER.name), ip, 80)
        server.cancel()
    finally:
        await other.close()


async def test_pods_that_come_and_go_leave_no_descriptor_in_the_agent(lab):
    async def descriptors() -> int:
        """The fewest of five counts: while a tool starts, the agent holds one for it."""
        counts = [await lab.tool(OUTSIDE, ["sh", "-c", "ls /proc/1/fd | wc -l"]) for _ in range(5)]
        return min(int(finished.stdout) for finished in counts)

    before = await descriptors()
    ours = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        await lab.pod("a")
        await lab.sleeper(pod("a"), files={"/etc/hostname": "a\n"})
        await lab.network.remove_pod("a")
    assert await descriptors() == before
    assert len(os.listdir("/proc/self/fd")) == ours
