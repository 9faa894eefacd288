"""What connections meet in mode ipvs where it is evaluated: what they would meet in IPVS."""

from __future__ import annotations

import asyncio

import pytest

from kubelab.engine.network.contract import OUTSIDE, node, pod

WORKER, OTHER = node("kubelab-worker"), node("kubelab-worker2")
A, B, C = pod("a"), pod("b"), pod("c")
NODE_PORT = {"type": "NodePort", "node_port": 30080}


@pytest.mark.parametrize("source", [WORKER, A, C], ids=str)
async def test_connections_take_turns(scene, source):
    await scene.serve("a", "b", "c")
    assert await scene.names(source, times=6) == ["a", "b", "c", "a", "b", "c"]


async def test_turns_are_of_a_node_and_of_a_virtual_server(scene):
    await scene.serve("a", "c", **NODE_PORT)
    assert await scene.names(WORKER, times=3) == ["a", "c", "a"]
    assert await scene.names(C) == ["a"], "another node has its own turn"
    assert await scene.names(OUTSIDE, "172.18.0.3:30080") == ["a"], "and so has the node port"
    assert await scene.names(WORKER) == ["c"]


async def test_who_the_server_sees(scene):
    await scene.serve("a", "c", **NODE_PORT)
    a, c = scene.ips["a"], scene.ips["c"]
    assert await scene.ask(B, times=2) == [f"a {scene.ips['b']}", f"c {scene.ips['b']}"]
    assert await scene.ask(WORKER, times=2) == ["a 10.244.1.1", "c 172.18.0.3"], "not the virtual address"
    assert await scene.ask(OUTSIDE, "172.18.0.3:30080", 2) == ["a 10.244.1.1", "c 172.18.0.3"]
    await scene.serve("a", "c", externalTrafficPolicy="Local", **NODE_PORT)
    assert await scene.ask(OUTSIDE, "172.18.0.3:30080", 2) == ["a 172.18.0.1"] * 2, "the client itself"
    assert await scene.ask(A, "172.18.0.4:30080") == [f"c {a}"] and c


async def test_a_pod_reaches_itself_by_its_service(scene):
    await scene.serve("a")
    assert await scene.ask(A) == ["a 10.244.1.1"]


async def test_clients_stay_with_their_endpoint_under_affinity(scene):
    await scene.serve("a", "b", "c", sessionAffinity="ClientIP")
    assert [await scene.names(each, times=2) for each in (A, B, WORKER)] == [["a", "a"], ["b", "b"], ["c", "c"]]
    await scene.serve("a", "b", "c", sessionAffinity="ClientIP", **NODE_PORT)
    assert await scene.names(B) == ["b"], "also when the Service changes"
    await scene.serve("a", "c", sessionAffinity="ClientIP")
    assert set(await scene.names(B, times=3)) in ({"a"}, {"c"}), "and moves once when the endpoint goes"


async def test_without_endpoints_connections_are_refused(scene):
    await scene.serve(type="LoadBalancer", node_port=30080, vips=("172.18.255.1",), externalIPs=["192.168.9.9"])
    for source, address in [
        (A, "10.96.0.1:80"),
        (WORKER, "10.96.0.1:80"),
        (A, "172.18.255.1:80"),
        (A, "192.168.9.9:80"),
        (OUTSIDE, "172.18.0.3:30080"),
        (WORKER, "172.18.0.3:30080"),
    ]:
        assert await scene.ask(source, address) == ["ConnectionRefusedError"]


async def test_ports_that_a_virtual_address_does_not_have_are_refused(scene):
    listener = await scene.lab.network.listen(WORKER, "0.0.0.0", 22)
    with listener:
        await scene.serve("a")
        assert await scene.ask(A, "10.96.0.1:22") == ["ConnectionRefusedError"], "though the node listens on it"
        assert await scene.ask(WORKER, "10.96.0.1:81") == ["ConnectionRefusedError"]


async def test_policy_local(scene):
    await scene.serve("a", "c", internalTrafficPolicy="Local")
    assert await scene.names(B, times=2) == ["a", "a"]
    await scene.serve("c", internalTrafficPolicy="Local")
    assert await scene.ask(B) == ["ConnectionRefusedError"], "refused, where the other modes drop"
    await scene.serve("c", externalTrafficPolicy="Local", **NODE_PORT)
    assert await scene.names(WORKER, "172.18.0.3:30080") == ["c"], "none here: all of them"


async def test_load_balancers_and_external_addresses(scene):
    spec = {"type": "LoadBalancer", "vips": ("172.18.255.1",), "externalIPs": ["192.168.9.9"]}
    await scene.serve("a", "c", loadBalancerSourceRanges=["10.244.2.0/24"], **spec)
    assert await scene.names(C, "172.18.255.1:80", 2) == ["a", "c"]
    assert await scene.ask(A, "172.18.255.1:80", seconds=0.5) == ["TimeoutError"], "not in the source ranges"
    assert await scene.ask(WORKER, "172.18.255.1:80", seconds=0.5) == ["TimeoutError"], "nor is the node"
    assert await scene.names(A, "192.168.9.9:80", 2) == ["a", "c"]
    await scene.serve("a", "c", loadBalancerSourceRanges=["172.18.0.0/16"], **spec)
    assert await scene.names(WORKER, "172.18.255.1:80", 2) == ["a", "c"]


async def test_udp_takes_turns_by_flow(scene):
    loop = asyncio.get_running_loop()
    servers = {name: await scene.lab.network.listen(pod(name), scene.ips[name], 80, udp=True) for name in "ab"}
    await scene.serve("a", "b", protocol="UDP")
    heard: list[str] = []
    for port in (40001, 40002, 40001):
        with await scene.lab.network.listen(C, scene.ips["c"], port, udp=True) as client:
            await loop.sock_sendto(client, b"hello", ("10.96.0.1", 80))
            waiting = {asyncio.create_task(loop.sock_recvfrom(server, 10)): name for name, server in servers.items()}
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=5)
            for task in waiting:
                if task in done:
                    heard.append(waiting[task])
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
    for server in servers.values():
        server.close()
    assert heard == ["a", "b", "a"]
