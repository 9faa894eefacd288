"""The controller with Gateways on an API server in memory; Envoy's files are written, and nobody reads them."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, redirect_stdout
from io import StringIO

import pytest

from kubelab.engine import gateway_api
from kubelab.engine.apiserver import ApiServer
from kubelab.engine.client import Client, InProcessTransport
from kubelab.engine.client.resources import (
    CUSTOMRESOURCEDEFINITIONS,
    GATEWAYCLASSES,
    GATEWAYS,
    HTTPROUTES,
    NAMESPACES,
    SERVICES,
)
from kubelab.engine.ingress import default_certificate
from kubelab.engine.ingress.controller import Controller, Settings
from kubelab.engine.ingress.files import Files
from kubelab.engine.ingress.gateway.ports import FIRST
from kubelab.engine.ingress.manifests import NAMESPACE
from kubelab.routing.gateway import CONTROLLER

SERVICE = "gateway-default-edge"
ADDRESS = {"status": {"loadBalancer": {"ingress": [{"ip": "172.18.255.9"}]}}}


@pytest.fixture(scope="module")
def default():
    with redirect_stdout(StringIO()) as printed:
        default_certificate.main()
    return printed.getvalue()


class Cluster:
    def __init__(self, client, folder, default):
        self.client, self.folder, self.default = client, folder, default

    @asynccontextmanager
    async def controlled(self, folder="first", files=Files):
        """While a controller runs."""
        place = self.folder / folder
        place.mkdir()
        (place / "default.pem").write_text(self.default)
        controller = asyncio.create_task(Controller(self.client, Settings(place), files(place, ())).run())
        try:
            yield place
        finally:
            controller.cancel()
            await asyncio.gather(controller, return_exceptions=True)

    async def install(self):
        await gateway_api.install(self.client)
        spec = {"controllerName": CONTROLLER}
        await self.until(self.is_served)
        await self.client.create(GATEWAYCLASSES, {"metadata": {"name": "kubelab"}, "spec": spec})

    async def is_served(self):
        served = await self.client.send("GET", "/apis")
        return any(each["name"] == "gateway.networking.k8s.io" for each in served["groups"])

    async def gateway(self, name="edge", port=80):
        spec = {"gatewayClassName": "kubelab", "listeners": [{"name": "http", "port": port, "protocol": "HTTP"}]}
        return await self.client.create(GATEWAYS, {"metadata": {"name": name}, "spec": spec}, "default")

    async def services(self):
        listed = await self.client.list(SERVICES, NAMESPACE)
        return {each["metadata"]["name"]: [port["targetPort"] for port in each["spec"]["ports"]]
                for each in listed["items"]}  # fmt: skip

    async def programmed(self, name="edge"):
        gateway = await self.client.get(GATEWAYS, name, "default")
        found = {each["type"]: each for each in gateway["status"]["conditions"]}
        return found["Programmed"]["reason"]

    async def until(self, check):
        async with asyncio.timeout(20):
            while not await check():  # noqa: ASYNC110  (the API tells this test nothing)
                await asyncio.sleep(0.01)

    async def until_services(self, wanted):
        async def holds():
            return await self.services() == wanted

        await self.until(holds)

    async def until_programmed(self, reason):
        async def holds():
            return await self.programmed() == reason

        await self.until(holds)


@pytest.fixture
async def cluster(tmp_path, default):
    server = ApiServer.open(":memory:")
    client = Client(InProcessTransport(server, "kubernetes-admin"))
    await client.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
    yield Cluster(client, tmp_path, default)
    await server.close()


async def test_a_gateway_gets_a_service_then_an_address_and_is_programmed(cluster):
    await cluster.install()
    async with cluster.controlled() as folder:
        await cluster.gateway()
        await cluster.until_services({SERVICE: [FIRST]})
        await cluster.until_programmed("AddressNotAssigned")
        await cluster.client.patch(SERVICES, SERVICE, ADDRESS, NAMESPACE, subresource="status")
        await cluster.until_programmed("Programmed")
        listening = json.loads((folder / "listeners.json").read_text())["resources"]
        assert "Gateway default/edge:80" in {each["name"] for each in listening}
        await cluster.client.delete(GATEWAYS, "edge", "default")
        await cluster.until_services({})


async def test_the_kinds_may_come_later_and_go_again(cluster):
    async with cluster.controlled():
        await cluster.install()
        await cluster.gateway()
        await cluster.until_services({SERVICE: [FIRST]})
        await cluster.client.delete(CUSTOMRESOURCEDEFINITIONS, "gateways.gateway.networking.k8s.io")
        await cluster.until_services({})


async def test_a_new_controller_takes_over_ports_and_clears_up_what_was_deleted_meanwhile(cluster):
    await cluster.install()
    async with cluster.controlled():
        await cluster.gateway("gone")
        await cluster.until_services({"gateway-default-gone": [FIRST]})
        await cluster.gateway()
        await cluster.until_services({"gateway-default-gone": [FIRST], SERVICE: [FIRST + 1]})
    await cluster.client.delete(GATEWAYS, "gone", "default")
    async with cluster.controlled("second"):
        await cluster.until_services({SERVICE: [FIRST + 1]})


async def test_a_status_that_is_right_is_not_written_again(cluster):
    await cluster.install()
    async with cluster.controlled():
        await cluster.gateway()
        await cluster.until_services({SERVICE: [FIRST]})
        await cluster.client.patch(SERVICES, SERVICE, ADDRESS, NAMESPACE, subresource="status")
        await cluster.until_programmed("Programmed")
        before = await cluster.client.get(GATEWAYS, "edge", "default")
        await cluster.gateway("other")
        await cluster.until_services({SERVICE: [FIRST], "gateway-default-other": [FIRST + 1]})
        spec = {"parentRefs": [{"name": "other"}]}
        await cluster.client.create(HTTPROUTES, {"metadata": {"name": "shop"}, "spec": spec}, "default")

        async def told():
            route = await cluster.client.get(HTTPROUTES, "shop", "default")
            return (route.get("status") or {}).get("parents")

        await cluster.until(told)
        assert await cluster.client.get(GATEWAYS, "edge", "default") == before


class Refused(Files):
    """What an Envoy does not take in."""

    async def serve(self, wanted):
        await super().serve(wanted)
        return False


async def test_what_the_proxy_does_not_take_in_is_not_programmed(cluster):
    await cluster.install()
    async with cluster.controlled(files=Refused):
        await cluster.gateway()
        await cluster.until_services({SERVICE: [FIRST]})
        await cluster.client.patch(SERVICES, SERVICE, ADDRESS, NAMESPACE, subresource="status")
        await cluster.until_programmed("Pending")
