"""When a cluster may be called up: every node is Ready and the name server answers through its Service."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Callable, Sequence

from kubelab.engine import config
from kubelab.engine.client import Client, Informer, Object
from kubelab.engine.client.resources import ENDPOINTSLICES, NODES
from kubelab.engine.network.contract import Network, node

NAME = f"kubernetes.default.svc.{config.CLUSTER_DOMAIN}"
RETRY_SECONDS = 0.02
CONNECT_SECONDS = 0.1
"""What is sent before the node's rules know the Service vanishes: better to ask anew than to wait."""

log = logging.getLogger(__name__)


async def wait_until_ready(client: Client, network: Network, names: Sequence[str]) -> None:
    """Returns when all these nodes are Ready and each of them gets an answer from the cluster's name server."""
    await _wait_for(Informer(client, NODES), lambda nodes: sum(map(_is_ready, nodes)) >= len(names))
    log.info("all nodes are Ready")
    slices = Informer(client, ENDPOINTSLICES, "kube-system", [("labelSelector", "kubernetes.io/service-name=kube-dns")])
    await _wait_for(slices, lambda found: any(map(_has_endpoint, found)))
    log.info("the name server is ready")
    await asyncio.gather(*(_name_server_answers(network, name) for name in names))


async def _wait_for(informer: Informer, enough: Callable[[list[Object]], bool]) -> None:
    done = asyncio.Event()

    def look(_old: Object | None, _new: Object | None) -> None:
        if enough(informer.all()):
            done.set()

    informer.listen(look)
    following = asyncio.ensure_future(informer.run())
    try:
        await done.wait()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


def _is_ready(obj: Object) -> bool:
    conditions = obj.get("status", {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _has_endpoint(obj: Object) -> bool:
    return any((each.get("conditions") or {}).get("ready", True) for each in obj.get("endpoints") or [])


async def _name_server_answers(network: Network, node_name: str) -> None:
    """Ask over TCP from the node, again until the rules are loaded and the answer is right."""
    while not await _ask(network, node_name):  # noqa: ASYNC110  (the kernel tells nobody that rules were loaded)
        await asyncio.sleep(RETRY_SECONDS)


async def _ask(network: Network, node_name: str) -> bool:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in NAME.split("."))
    question = struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1)
    try:
        connection = await network.connect(node(node_name), config.DNS_SERVICE_IP, 53, timeout_seconds=CONNECT_SECONDS)
    except OSError:
        return False
    reader, writer = await asyncio.open_connection(sock=connection)
    try:
        writer.write(struct.pack("!H", len(question)) + question)
        async with asyncio.timeout(1):
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            answer = await reader.readexactly(length)
    except (OSError, asyncio.IncompleteReadError):
        return False
    finally:
        writer.close()
    _id, flags, _questions, answers, _authorities, _additional = struct.unpack("!6H", answer[:12])
    return flags & 0xF == 0 and answers > 0
