"""``python -m kubelab.clusters.kind.street``: what runs in the container outside a kind cluster.

The embedded cluster's two halves of a load balancer, unchanged: `LoadBalancerController` gives Services their
addresses, `LoadBalancer` asks the nodes' health ports and says which nodes an address leads to. Here that is carried
out by this container's own routes and rules, so a packet comes to a node as it was sent, and kube-proxy's rules for the
address do the rest. Who stands in this container is the client outside.

It is told by the environment where the API is: KUBELAB_SERVER, KUBELAB_CA (PEM) and KUBELAB_TOKEN.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence

from kubelab.engine.balancer import LoadBalancer
from kubelab.engine.client import ApiError, Client, HttpsTransport
from kubelab.engine.client.resources import NODES
from kubelab.engine.controllers.informers import SharedInformers
from kubelab.engine.controllers.loadbalancers import LoadBalancerController
from kubelab.engine.network.agent.balancing import balancing_rules
from kubelab.engine.network.contract import Place

log = logging.getLogger("kubelab.street")

FIRST_TABLE = 100


class Street:
    """Of `kubelab.engine.network.contract.Network` what a load balancer needs, in this network namespace."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._marks: dict[str, int] = {}
        """Node → the mark whose packets go to it; a table of routes a mark."""

    async def connect(self, place: Place, ip: str, port: int, *, timeout_seconds: float = 5) -> socket.socket:
        """A TCP connection from here. Raises OSError."""
        connection = socket.socket()
        connection.setblocking(False)
        try:
            async with asyncio.timeout(timeout_seconds):
                await asyncio.get_running_loop().sock_connect(connection, (ip, port))
        except BaseException:
            connection.close()
            raise
        return connection

    async def balance(self, addresses: Mapping[str, Sequence[str]]) -> None:
        """From now on these addresses lead to these nodes, and no others do. Raises OSError."""
        await self._know({name for names in addresses.values() for name in names})
        rules = balancing_rules({ip: [self._marks[name] for name in names] for ip, names in addresses.items()})
        await _command("iptables-restore", stdin=rules)
        said = ", ".join(f"{ip} → {'+'.join(names) or 'nobody'}" for ip, names in addresses.items())
        log.info("addresses: %s", said or "none")

    async def _know(self, names: set[str]) -> None:
        for name in sorted(names - self._marks.keys()):
            try:
                node = await self._client.get(NODES, name)
            except ApiError as error:
                raise OSError(f"node {name}: {error}") from error
            address = next(each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP")
            mark = len(self._marks) + 1
            table = str(FIRST_TABLE + mark)
            await _command("ip", "route", "replace", "default", "via", address, "table", table)
            await _command("ip", "rule", "add", "fwmark", str(mark), "lookup", table)
            self._marks[name] = mark


async def _command(*argv: str, stdin: str = "") -> None:
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate(stdin.encode())
    if process.returncode:
        raise OSError(f"{argv[0]}: {err.decode('utf-8', 'replace').strip()}")


async def _work(client: Client) -> None:
    informers = SharedInformers(client)
    controller = LoadBalancerController(client, informers)
    balancer = LoadBalancer(client, Street(client))
    async with asyncio.TaskGroup() as group:
        group.create_task(informers.run())
        await informers.synced()
        group.create_task(controller.run())
        group.create_task(balancer.run())


async def _run(ca_file: str) -> None:
    client = Client(
        HttpsTransport(
            os.environ["KUBELAB_SERVER"],
            ca_file=ca_file,
            token=os.environ["KUBELAB_TOKEN"],
            user_agent="kubelab-load-balancer",
        )
    )
    working = asyncio.create_task(_work(client))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, working.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await working


def main() -> int:
    """Run until SIGTERM; the container's engine starts it again when it fails."""
    logging.basicConfig(level=logging.INFO, format="[%(levelname)s] %(message)s", stream=sys.stdout)
    with tempfile.NamedTemporaryFile("wb", suffix=".crt") as authority:
        try:
            authority.write(base64.b64decode(os.environ["KUBELAB_CA"]))
            authority.flush()
            asyncio.run(_run(authority.name))
        except KeyError as missing:
            log.error("the environment lacks %s", missing)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
