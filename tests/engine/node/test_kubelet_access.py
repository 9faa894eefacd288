"""Who gets in at a node's port, over real TLS."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager

import aiohttp
import pytest

from kubelab.engine import config
from kubelab.engine.node.kubelet_server import KubeletServer
from kubelab.engine.pki import PKI
from kubelab.engine.state import StateDir


@pytest.fixture
def pki(tmp_path) -> PKI:
    state = StateDir(tmp_path / "state")
    state.create()
    return PKI(state, config.nodes())


def _as(pki: PKI, user: str, *groups: str) -> ssl.SSLContext:
    context = pki.client_tls()
    context.load_cert_chain(*pki.user(user, groups))
    return context


@asynccontextmanager
async def _port(lab, pki: PKI, reached=lambda: True):
    async with lab.agent() as agent:
        server = KubeletServer(agent.api)
        port = await server.start(pki.kubelet_tls(), reached)
        try:
            async with aiohttp.ClientSession(f"https://localhost:{port}") as session:
                yield session
        finally:
            await server.stop()


async def test_the_api_server_and_the_masters_get_in(lab, pki):
    async with _port(lab, pki) as session:
        for context in (pki.kubelet_client_tls(), _as(pki, "kubernetes-admin", "system:masters")):
            async with session.get("/pods", ssl=context) as response:
                assert response.status == 200


async def test_who_shows_no_certificate_is_unauthorized_and_who_shows_another_is_forbidden(lab, pki):
    async with _port(lab, pki) as session:
        async with session.get("/pods", ssl=pki.client_tls()) as response:
            assert (response.status, await response.text()) == (401, "Unauthorized")
        learner = _as(pki, "ada", "system:authenticated")
        async with session.post("/exec/default/web/web?command=ls", ssl=learner) as response:
            assert response.status == 403
            assert (await response.text()).startswith("Forbidden (user=ada, verb=create, resource=nodes")


async def test_a_node_that_is_cut_off_hangs_up_on_the_api_server_too(lab, pki):
    there = [True]
    async with _port(lab, pki, lambda: there[0]) as session:
        async with session.get("/healthz", ssl=pki.kubelet_client_tls()) as response:
            assert response.status == 200
        there[0] = False
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get("/healthz", ssl=pki.kubelet_client_tls())
