"""Addresses outside that lead to nodes: who gets a connection, and who keeps it."""

from __future__ import annotations

import asyncio

import pytest

from kubelab.engine.config import nodes
from kubelab.engine.network.contract import OUTSIDE, node

_, WORKER, WORKER2 = nodes()
ADDRESS, PORT = "172.18.255.1", 80

# What kube-proxy would write: the address leads on from here, to something on the node itself.
RULES = """\
*nat
-A PREROUTING -d {address}/32 -p {proto} -m {proto} --dport 80 -j DNAT --to-destination {ip}:8080
COMMIT
"""


@pytest.fixture
async def balanced(lab):
    """A server on each worker that answers for the address, with the name of its node."""
    servers = []
    for spec in (WORKER, WORKER2):
        for proto in ("tcp", "udp"):
            rules = RULES.format(address=ADDRESS, proto=proto, ip=spec.ip)
            await lab.tool(node(spec.name), ["iptables-restore", "--noflush"], rules)
        servers.append(await lab.answer(node(spec.name), spec.ip, 8080, spec.name))
    yield lab
    for server in servers:
        server.cancel()


async def nodes_that_answer(lab) -> set[str]:
    """With two nodes 30 draws miss one with odds of 1e-9."""
    answers = await asyncio.gather(*(lab.ask(OUTSIDE, ADDRESS, PORT) for _ in range(30)))
    assert {answer.split()[1] for answer in answers} == {"172.18.0.1"}  # nobody changed the client's address
    return {answer.split()[0] for answer in answers}


async def test_new_connections_are_shared_by_the_nodes_and_follow_what_is_said_last(balanced):
    await balanced.network.balance({ADDRESS: [WORKER.name, WORKER2.name]})
    assert await nodes_that_answer(balanced) == {WORKER.name, WORKER2.name}
    await balanced.network.balance({ADDRESS: [WORKER2.name], "172.18.255.9": []})
    assert await nodes_that_answer(balanced) == {WORKER2.name}


async def test_an_open_connection_stays_with_its_node(balanced):
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader, writer):
        async for line in reader:
            received.put_nowait(line)
        writer.close()

    listener = await balanced.network.listen(node(WORKER.name), WORKER.ip, 8081)
    rules = RULES.format(address="172.18.255.2", proto="tcp", ip=WORKER.ip).replace("8080", "8081")
    await balanced.tool(node(WORKER.name), ["iptables-restore", "--noflush"], rules)
    async with await asyncio.start_server(serve, sock=listener):
        await balanced.network.balance({"172.18.255.2": [WORKER.name]})
        with await balanced.network.connect(OUTSIDE, "172.18.255.2", PORT) as connection:
            await balanced.network.balance({"172.18.255.2": [WORKER2.name]})
            await asyncio.get_running_loop().sock_sendall(connection, b"still here\n")
            assert await asyncio.wait_for(received.get(), 5) == b"still here\n"


async def test_a_udp_flow_stays_while_its_node_is_healthy_and_moves_when_it_is_not(balanced):
    sockets = {
        spec.name: await balanced.network.listen(node(spec.name), spec.ip, 8080, udp=True) for spec in (WORKER, WORKER2)
    }
    client = await balanced.network.listen(OUTSIDE, "172.18.0.1", 0, udp=True)
    loop = asyncio.get_running_loop()

    async def send() -> str:
        await loop.sock_sendto(client, b"x", (ADDRESS, PORT))
        waits = {asyncio.create_task(loop.sock_recv(each, 10)): name for name, each in sockets.items()}
        done, pending = await asyncio.wait(waits, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return waits[done.pop()]

    try:
        both = [WORKER.name, WORKER2.name]
        await balanced.network.balance({ADDRESS: both})
        first = await send()
        assert {await send() for _ in range(10)} == {first}
        (other,) = set(both) - {first}
        await balanced.network.balance({ADDRESS: [other]})
        assert await send() == other
    finally:
        for each in (client, *sockets.values()):
            each.close()
