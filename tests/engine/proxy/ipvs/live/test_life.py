"""Endpoints that leave, Services that go, and the mode's own end, where mode ipvs is evaluated."""

from __future__ import annotations

import asyncio

import pytest

from kubelab.engine.network.contract import node, pod

WORKER = node("kubelab-worker")
B = pod("b")


async def echo(scene, name: str) -> asyncio.Task[None]:
    """A server on port 81 of a pod that says what it hears."""
    loop = asyncio.get_running_loop()
    listener = await scene.lab.network.listen(pod(name), scene.ips[name], 81)

    async def serve() -> None:
        with listener:
            connection, _ = await loop.sock_accept(listener)
            with connection:
                while said := await loop.sock_recv(connection, 100):
                    await loop.sock_sendall(connection, said)

    return asyncio.create_task(serve())


async def speak(connection) -> bytes:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, b"hello")
    async with asyncio.timeout(5):
        return await loop.sock_recv(connection, 100)


def weights(saved: str) -> dict[str, str]:
    """Real server → weight, of ``ipvsadm -Sn``."""
    return {line.split()[4]: line.split()[-1] for line in saved.splitlines() if line.startswith("-a")}


async def test_an_open_connection_outlives_its_endpoint(scene, make):
    service = make.service("web", "10.96.0.1", port=80)
    ends = {name: make.endpoint(scene.ips[name], node="kubelab-worker") for name in "ab"}
    serving = await echo(scene, "a")
    await scene.sync([service], [make.slice("web", ends["a"], port=81)])
    with await scene.lab.network.connect(B, "10.96.0.1", 80) as connection:
        assert await speak(connection) == b"hello"
        await scene.sync([service], [make.slice("web", ends["b"], port=81)])
        assert weights(await scene.tool("ipvsadm", "-Sn")) == {f"{scene.ips['a']}:81": "0", f"{scene.ips['b']}:81": "1"}
        assert f"{scene.ips['a']}:81                Masq    0      1          0" in await scene.tool("ipvsadm", "-Ln")
        assert await speak(connection) == b"hello"
        assert await scene.ask(B) == ["ConnectionRefusedError"], "a new one goes to the other, which does not listen"
        scene.now += 61
        await scene.backends["kubelab-worker"].gone()
        assert len(weights(await scene.tool("ipvsadm", "-Sn"))) == 2, "it is still open"
    await serving
    await scene.lab.tool(WORKER, ["conntrack", "-D", "-d", "10.96.0.1"])
    scene.now += 61
    await scene.backends["kubelab-worker"].gone()
    assert weights(await scene.tool("ipvsadm", "-Sn")) == {f"{scene.ips['b']}:81": "1"}


async def test_an_endpoint_without_connections_goes_at_once(scene):
    await scene.serve("a", "b")
    await scene.serve("b")
    assert list(weights(await scene.tool("ipvsadm", "-Sn"))) == [f"{scene.ips['b']}:80"]


async def test_the_connections_of_a_deleted_service_end(scene, make):
    service = make.service("web", "10.96.0.1", port=80)
    serving = await echo(scene, "a")
    await scene.sync([service], [make.slice("web", make.endpoint(scene.ips["a"], node="kubelab-worker"), port=81)])
    with await scene.lab.network.connect(B, "10.96.0.1", 80) as connection:
        assert await speak(connection) == b"hello"
        await scene.sync([], [])
        known = await scene.lab.tool(WORKER, ["conntrack", "-L", "-d", "10.96.0.1"])
        assert known.stdout == b""
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_connections_are_counted_for_each_real_server(scene):
    await scene.serve("a", "b")
    await scene.names(B, times=3)
    counted = {
        line.split()[1]: line.split()[2]
        for line in (await scene.tool("ipvsadm", "-Ln", "--stats")).splitlines()
        if line.endswith("-")
    }
    assert counted == {"10.96.0.1:80": "3", f"{scene.ips['a']}:80": "2", f"{scene.ips['b']}:80": "1"}
    await scene.serve("a", "b", "c")
    assert f"{scene.ips['a']}:80                       2" in await scene.tool("ipvsadm", "-Ln", "--stats")
    entries = await scene.tool("ipvsadm", "-Lnc")
    assert entries.count(f"10.96.0.1:80       {scene.ips['a']}:80") == 2


async def test_what_somebody_took_away_comes_back(scene):
    await scene.serve("a")
    backend = scene.backends["kubelab-worker"]
    assert not await backend.gone()
    await scene.lab.tool(WORKER, ["nft", "flush", "ruleset"])
    await scene.lab.tool(WORKER, ["ip", "link", "delete", "kube-ipvs0"])
    assert await backend.gone()
    await scene.serve("a")
    assert await scene.names(B) == ["a"]


async def test_nothing_is_left_behind(scene):
    before = await left(scene)
    await scene.serve("a", type="LoadBalancer", node_port=30080, vips=("172.18.255.1",), sessionAffinity="ClientIP")
    assert "kube-ipvs0" in await left(scene)
    await scene.clean_up()
    assert await left(scene) == before
    await scene.clean_up()


async def left(scene) -> str:
    rules = await scene.lab.tool(WORKER, ["nft", "list", "ruleset"])
    addresses = await scene.lab.tool(WORKER, ["ip", "-o", "address"])
    settled = addresses.stdout.replace(b" tentative", b"")  # IPv6 looks for a second or two whether it is alone
    return (rules.stdout + settled).decode()


@pytest.mark.parametrize("network", [("user",)], indirect=True, ids=["a plain user"])
async def test_more_than_fits_into_a_plain_users_transaction(scene, make):
    """The kernel takes about 212,992 bytes from a plain user at once."""
    services = [make.service(f"s{n}", f"10.96.1.{n}", sessionAffinity="ClientIP") for n in range(1, 120)]
    ends = [make.endpoint(f"10.180.0.{n}") for n in range(1, 9)]
    slices = [make.slice(f"s{n}", *ends) for n in range(1, 120)]
    web = make.service("web", "10.96.0.1")
    await scene.sync([*services, web], [*slices, scene.slice("a")])
    assert await scene.names(B) == ["a"]
    assert (await scene.tool("ipvsadm", "-Sn")).count("-a") == 119 * 8 + 1
    await scene.sync([web], [scene.slice("b")])
    assert await scene.names(B) == ["b"]
