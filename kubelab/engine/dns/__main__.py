"""``python -m kubelab.engine.dns``: the name server in its pod.

Port 53 over UDP and TCP, health on 8080, readiness on 8181, metrics on 9153. SIGTERM ends it at once, with code 0.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from pathlib import Path

from kubelab.engine.client import Client, HttpsTransport
from kubelab.engine.dns.cluster_names import ClusterNames
from kubelab.engine.dns.server import Datagrams, NameServer
from kubelab.engine.dns.tally import Tally
from kubelab.engine.dns.upstream import Upstream, name_servers
from kubelab.engine.plain_http import Answer, Handler, serve

log = logging.getLogger("kubelab.engine.dns")

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

RESOLV_CONF = Path("/etc/resolv.conf")
"""The machine's, as the pod's dnsPolicy is Default."""


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM. The exit code: 1 when the pod lacks what it needs."""
    parser = argparse.ArgumentParser(prog="python -m kubelab.engine.dns", description=__doc__)
    parser.add_argument("--log", action="store_true", help="write a line for every question")
    parser.add_argument("--port", type=int, default=53, help="of UDP and TCP (default 53)")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="[%(levelname)s] %(message)s", stream=sys.stdout)
    try:
        servers = name_servers(RESOLV_CONF.read_text(errors="replace"), own=_own_addresses())
        asyncio.run(_run(options.log, options.port, servers))
    except (KeyError, OSError) as error:
        log.error("the name server cannot start: %s", error)
        return 1
    return 0


async def _run(log_queries: bool, port: int, servers: list[str]) -> None:
    """Serve until a signal comes; raises what ended the following of the API otherwise."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    client = in_cluster_client()
    names, tally = ClusterNames(client), Tally()
    upstream = Upstream(servers)
    server = NameServer(names.snapshot, upstream, tally, log_queries=log_queries)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(client.close)
        stack.callback(upstream.close)
        upstream.probe()
        await _serve(stack, server, port)
        await _serve_status(stack, names, tally)
        log.info("serving on port %d, other names from %s", port, ", ".join(servers) or "nobody")
        following = asyncio.create_task(names.run())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((following, stopping), return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            following.result()
        for task in (following, stopping):
            task.cancel()
        await asyncio.gather(following, stopping, return_exceptions=True)


def in_cluster_client() -> Client:
    """The API by the address and the credentials that every pod is given."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    token = SERVICE_ACCOUNT / "token"
    ca_file = str(SERVICE_ACCOUNT / "ca.crt")
    return Client(HttpsTransport(f"https://{host}:{port}", ca_file=ca_file, token=token, user_agent="coredns"))


async def _serve(stack: contextlib.AsyncExitStack, server: NameServer, port: int) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Datagrams(server), local_addr=("0.0.0.0", port))
    stack.callback(transport.close)
    streams = await asyncio.start_server(server.serve_connection, "0.0.0.0", port)
    stack.callback(streams.close)


async def _serve_status(stack: contextlib.AsyncExitStack, names: ClusterNames, tally: Tally) -> None:
    def health(path: str) -> Answer | None:
        return Answer("OK") if path == "/health" else None

    def ready(path: str) -> Answer | None:
        if path != "/ready":
            return None
        return Answer("OK") if names.ready else Answer("kubernetes", 503)

    def metrics(path: str) -> Answer | None:
        return Answer(tally.text()) if path == "/metrics" else None

    handlers: list[tuple[int, Handler]] = [(8080, health), (8181, ready), (9153, metrics)]
    for port, handler in handlers:
        sock = socket.create_server(("0.0.0.0", port))
        sock.setblocking(False)
        answering = await serve(sock, handler)
        stack.callback(answering.close)


def _own_addresses() -> list[str]:
    """The pod's addresses, so that a resolv.conf that names them does not make the server ask itself."""
    try:
        return [str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None)]
    except OSError:
        return []


if __name__ == "__main__":
    sys.exit(main())
