"""A stand-in for kube-apiserver: kubelab's own API server behind upstream's flags, as a process of its own.

Real: TLS, client certificates and their users, tokens, RBAC, the egress proxy on its way to nodes. Not real: the store
(SQLite beside the certificates, although etcd has to answer first) and all the rest of Kubernetes.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import signal
import socket
import ssl
import sys
from pathlib import Path
from urllib.parse import urlsplit

from common import CAPRICE, flags, server_tls

from kubelab.engine.apiserver import ApiServer, ApiServerSettings
from kubelab.engine.apiserver.http import Serving
from kubelab.engine.client import ApiRequest, HttpsTransport
from kubelab.engine.tcp import join


async def main() -> None:
    given = flags("kube-apiserver")
    etcd = HttpsTransport(
        given["etcd-servers"],
        ca_file=given["etcd-cafile"],
        certificate=given["etcd-certfile"],
        key=given["etcd-keyfile"],
    )
    assert (await etcd.request(ApiRequest("GET", "/health"))).status == 200
    await etcd.close()
    os.umask(0o077)
    server = ApiServer.open(Path(given["etcd-certfile"]).with_name("standin.sqlite3"), settings(given))
    relay_through_egress(server, given)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((given["bind-address"], int(given["secure-port"])))
    listener.listen(512)
    tls = server_tls(given["tls-cert-file"], given["tls-private-key-file"], given["client-ca-file"])
    serving = await served(server, listener, tls)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await serving.close()
    await server.close()


async def served(server: ApiServer, listener: socket.socket, tls: ssl.SSLContext) -> Serving:
    """Plainly, or with a seed in the environment as a server that does all that upstream's may do."""
    if not CAPRICE:
        return await server.serve([listener], tls)
    from caprices import Capricious
    from caprices.wire import Fickle

    Fickle.chance.seed(CAPRICE)
    return await Fickle.start(Capricious(server, CAPRICE), [listener], tls)


def settings(given: dict[str, str]) -> ApiServerSettings:
    kubelet = ssl.create_default_context(cafile=given["kubelet-certificate-authority"])
    kubelet.load_cert_chain(given["kubelet-client-certificate"], given["kubelet-client-key"])
    with open(given["token-auth-file"]) as file:
        tokens = {row[0]: row[1] for row in csv.reader(file)}
    return ApiServerSettings(
        tokens=tokens,
        service_account_key=Path(given["service-account-signing-key-file"]).read_bytes(),
        issuer=given["service-account-issuer"],
        kubelet_tls=kubelet,
    )


def relay_through_egress(server: ApiServer, given: dict[str, str]) -> None:
    """Every connection to a kubelet goes through the proxy that the egress selection names, by CONNECT."""
    selection = json.loads(Path(given["egress-selector-config-file"]).read_text())["egressSelections"][0]
    assert selection["name"] == "cluster" and selection["connection"]["proxyProtocol"] == "HTTPConnect"
    uds = selection["connection"]["transport"]["uds"]["udsName"]
    direct, ports, opening = server.relay._base, {}, []

    def base(pod) -> str:
        url = urlsplit(direct(pod))
        if url.netloc not in ports:
            listener = socket.create_server(("127.0.0.1", 0))
            serving = asyncio.start_server(lambda r, w: connect(uds, url.netloc, r, w), sock=listener)
            opening.append(asyncio.ensure_future(serving))
            ports[url.netloc] = listener.getsockname()[1]
        return f"https://localhost:{ports[url.netloc]}"

    server.relay._base = base


async def connect(uds: str, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    there = await asyncio.open_unix_connection(uds)
    there[1].write(f"CONNECT {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    said = await there[0].readuntil(b"\r\n\r\n")
    print(f"egress {target}: {said.splitlines()[0].decode()}", file=sys.stderr, flush=True)
    if b" 200 " in said:
        await join((reader, writer), there)
    writer.close()


asyncio.run(main())
