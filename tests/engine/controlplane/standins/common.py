"""What the stand-ins for Kubernetes' programs share. They take upstream's flags, and no others."""

from __future__ import annotations

import asyncio
import json
import os
import random
import ssl
import sys
from pathlib import Path
from typing import Any

from kubelab.engine.client import ApiRequest, ApiResponse, Client, HttpsTransport, Transport

CAPRICE = os.environ.get("KUBELAB_STANDINS_CAPRICE", "")
"""The seed of what the stand-ins do differently from ours (`caprices`); empty: nothing."""
SLOWNESS = float(os.environ.get("KUBELAB_STANDINS_SLOWNESS") or 1)
"""A part of it, where somebody has no time."""
SLOWEST_WRITE_SECONDS = 0.5 * SLOWNESS

# The flags that this project gives them, each to be found in upstream's reference for 1.36
# (https://kubernetes.io/docs/reference/command-line-tools-reference/, https://etcd.io/docs/v3.6/op-guide/configuration/).
COMPONENT = [
    "bind-address",
    "secure-port",
    "tls-cert-file",
    "tls-private-key-file",
    "client-ca-file",
    "kubeconfig",
    "authentication-kubeconfig",
    "authorization-kubeconfig",
    "leader-elect",
]
FLAGS = {
    "etcd": [
        "name",
        "data-dir",
        "listen-client-urls",
        "advertise-client-urls",
        "listen-peer-urls",
        "initial-advertise-peer-urls",
        "initial-cluster",
        "client-cert-auth",
        "trusted-ca-file",
        "cert-file",
        "key-file",
        "peer-client-cert-auth",
        "peer-trusted-ca-file",
        "peer-cert-file",
        "peer-key-file",
        "log-level",
    ],
    "kube-apiserver": [
        "bind-address",
        "secure-port",
        "advertise-address",
        "etcd-servers",
        "etcd-cafile",
        "etcd-certfile",
        "etcd-keyfile",
        "service-cluster-ip-range",
        "service-node-port-range",
        "service-account-issuer",
        "service-account-key-file",
        "service-account-signing-key-file",
        "client-ca-file",
        "token-auth-file",
        "tls-cert-file",
        "tls-private-key-file",
        "authorization-mode",
        "enable-admission-plugins",
        "allow-privileged",
        "kubelet-certificate-authority",
        "kubelet-client-certificate",
        "kubelet-client-key",
        "kubelet-preferred-address-types",
        "egress-selector-config-file",
    ],
    "kube-controller-manager": [
        *COMPONENT,
        *[
            "cluster-name",
            "controllers",
            "allocate-node-cidrs",
            "root-ca-file",
            "cluster-signing-cert-file",
            "cluster-signing-key-file",
            "service-account-private-key-file",
            "use-service-account-credentials",
        ],
    ],
    "kube-scheduler": COMPONENT,
}


def flags(program: str) -> dict[str, str]:
    """The flags that it was given; ends the process for one that upstream has not."""
    given: dict[str, str] = {}
    for argument in sys.argv[1:]:
        name, _, value = argument.removeprefix("--").partition("=")
        if name not in FLAGS[program]:
            sys.exit(f"Error: unknown flag: --{name}")
        given[name] = value
    return given


def server_tls(cert: str, key: str, client_ca: str, *, required: bool = False) -> ssl.SSLContext:
    """For the listening side; clients may or have to show a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.load_verify_locations(client_ca)
    context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


async def serve_health(host: str, port: int, tls: ssl.SSLContext, body: bytes) -> asyncio.Server:
    """Answer every request with 200 and the body."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, host, port, ssl=tls)


def client_of(kubeconfig: str, name: str) -> Client:
    """The API by a kubeconfig with a client certificate."""
    document: dict[str, Any] = json.loads(Path(kubeconfig).read_text())
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    transport = HttpsTransport(
        cluster["server"],
        ca_file=cluster["certificate-authority"],
        certificate=user["client-certificate"],
        key=user["client-key"],
        user_agent=name,
    )
    return Client(hesitant(transport))


def hesitant(transport: Transport) -> Transport:
    """With a seed: one that waits before each write, as long as it likes."""
    return _Hesitant(transport) if CAPRICE else transport


class _Hesitant:
    chance = random.Random(CAPRICE)

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._server = getattr(transport, "_server", "")
        self.lines, self.close = transport.lines, transport.close

    async def request(self, request: ApiRequest) -> ApiResponse:
        if request.method != "GET":
            await asyncio.sleep(self.chance.uniform(0, SLOWEST_WRITE_SECONDS))
        return await self._transport.request(request)
