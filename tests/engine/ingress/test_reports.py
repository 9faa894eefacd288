"""What stands in the API about the Ingresses that are served, and about those that are not."""

from __future__ import annotations

import asyncio

import pytest

from kubelab.engine.apiserver import ApiServer
from kubelab.engine.client import Client, Informer, InProcessTransport
from kubelab.engine.client.resources import EVENTS, INGRESSCLASSES, INGRESSES
from kubelab.engine.ingress.reports import Reports
from kubelab.routing.model import ObjectName, Origin, Problem

SHOP = ObjectName("Ingress", "default", "shop")
ADDRESS = [{"ip": "172.18.255.1"}]
NO_SERVICE = Problem(Origin(SHOP, "spec.rules[0]"), "ServiceNotFound", "there is no Service web")


@pytest.fixture
async def client():
    server = ApiServer.open(":memory:")
    yield Client(InProcessTransport(server, "kubernetes-admin"))
    await server.close()


class Told:
    """The reports of a controller, and what came of them."""

    def __init__(self, client):
        self.client = client
        self.informers = {each.kind: Informer(client, each) for each in (INGRESSES, INGRESSCLASSES)}
        self.reports = Reports(client, self.informers)

    async def status(self):
        shop = await self.client.get(INGRESSES, "shop", "default")
        return shop["status"].get("loadBalancer", {}).get("ingress", [])

    async def events(self):
        listed = await self.client.list(EVENTS, "default")
        return [(each["reason"], each["type"], each["message"]) for each in listed["items"]]

    async def until(self, check):
        async with asyncio.timeout(20):
            while not await check():  # noqa: ASYNC110  (the API tells this test nothing)
                await asyncio.sleep(0.01)


@pytest.fixture
async def told(client):
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    made = {"metadata": {"name": "shop", "namespace": "default"}, "spec": {"defaultBackend": backend}}
    await client.create(INGRESSES, made)
    told = Told(client)
    running = [asyncio.create_task(each.run()) for each in (*told.informers.values(), told.reports)]
    for each in told.informers.values():
        await each.synced()
    yield told
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_who_is_served_gets_the_address_and_loses_it_when_it_is_served_no_more(told):
    told.reports.update([SHOP], [], ADDRESS)

    async def has_it():
        return await told.status() == ADDRESS and await told.events() != []

    await told.until(has_it)
    assert await told.events() == [("Sync", "Normal", "Served at 172.18.255.1")]
    told.reports.update([], [], ADDRESS)

    async def has_none():
        return await told.status() == []

    await told.until(has_none)


async def test_an_address_that_another_controller_wrote_is_left_alone(told):
    theirs = {"status": {"loadBalancer": {"ingress": [{"hostname": "lb.test"}]}}}
    told.informers["Ingress"].wrote(await told.client.patch(INGRESSES, "shop", theirs, "default", subresource="status"))
    told.reports.update([], [NO_SERVICE], ADDRESS)

    async def told_of():
        return await told.events() != []

    await told.until(told_of)
    assert await told.status() == [{"hostname": "lb.test"}]


async def test_a_problem_is_told_once_until_it_is_gone_and_comes_again(told):
    async def number(count):
        async def reached():
            return sum(1 for reason, *_ in await told.events() if reason == "ServiceNotFound") >= count

        await told.until(reached)

    told.reports.update([SHOP], [NO_SERVICE], [])
    await number(1)
    told.reports.update([SHOP], [NO_SERVICE], [])
    told.reports.update([SHOP], [NO_SERVICE._replace(message="there is no Service wbe")], ADDRESS)
    await number(2)
    assert sorted(await told.events()) == [
        ("ServiceNotFound", "Warning", "there is no Service wbe (spec.rules[0])"),
        ("ServiceNotFound", "Warning", "there is no Service web (spec.rules[0])"),
        ("Sync", "Normal", "Served at 172.18.255.1"),
    ]


async def test_what_a_predecessor_told_is_not_told_again(told, client):
    told.reports.update([SHOP], [], ADDRESS)

    async def has_it():
        return await told.events() != []

    await told.until(has_it)
    heir = Told(client)
    running = [asyncio.create_task(each.run()) for each in (*heir.informers.values(), heir.reports)]
    for each in heir.informers.values():
        await each.synced()
    heir.reports.update([SHOP], [NO_SERVICE], ADDRESS)

    async def told_the_rest():
        return len(await told.events()) == 2

    await told.until(told_the_rest)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert {reason for reason, *_ in await told.events()} == {"Sync", "ServiceNotFound"}
