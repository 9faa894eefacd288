"""Which mode the nodes' kube-proxies serve by: asked of them, switched, and kept for the networks to come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar, get_args

from kubelab.engine.control.server import Refused
from kubelab.engine.network.contract import Network, NetworkLost, node
from kubelab.engine.options import ProxyMode
from kubelab.engine.proxy import METRICS_PORT, LoadError
from kubelab.engine.state import StateDir
from kubelab.engine.world import World

MODES: tuple[ProxyMode, ...] = get_args(ProxyMode)
DEFAULT: ProxyMode = "iptables"
"""What an unset ``mode`` means to kube-proxy 1.36 on Linux."""

T = TypeVar("T")

ANSWER_SECONDS = 2.0
RETRY_SECONDS = 0.05

REQUEST = b"GET /proxyMode HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"


class KeptMode:
    """The cluster's mode, in its state directory: an engine that starts again, and a new network, begin with it."""

    def __init__(self, state: StateDir) -> None:
        self._state = state
        self._switching = asyncio.Lock()

    @property
    def mode(self) -> ProxyMode:
        """The one kept; the default when there is none."""
        try:
            kept = self._state.proxy_mode.read_text()
        except (FileNotFoundError, UnicodeDecodeError):
            return DEFAULT
        return next((mode for mode in MODES if mode == kept), DEFAULT)

    async def switch(self, mode: str, ready: asyncio.Event, world: Callable[[], World]) -> None:
        """Returns when every node serves by ``mode``. Raises `Refused`: then all serve as before."""
        known = next((each for each in MODES if each == mode), None)
        if known is None:
            raise Refused(f"{mode!r} is no mode of kube-proxy; there are {', '.join(MODES)}.")
        async with self._switching:
            try:
                await whatever_network(ready, lambda: world().switch(known))
            except (LoadError, OSError) as error:
                raise Refused(f"The nodes cannot serve by {mode}: {error}. They serve as before.") from error
            self._state.write(self._state.proxy_mode, known)


async def whatever_network(ready: asyncio.Event, work: Callable[[], Awaitable[T]]) -> T:
    """The result of ``work``, done again with the next network when the network is lost meanwhile."""
    while True:
        await ready.wait()
        try:
            return await work()
        except NetworkLost:
            await asyncio.sleep(RETRY_SECONDS)


async def ask(network: Network, names: Iterable[str]) -> dict[str, str]:
    """Node → what its kube-proxy says on ``127.0.0.1:10249/proxyMode``; empty where nobody answers.

    Raises `NetworkLost`.
    """
    nodes = tuple(names)
    return dict(zip(nodes, await asyncio.gather(*(_ask(network, name) for name in nodes)), strict=True))


async def _ask(network: Network, name: str) -> str:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            connection = await network.connect(node(name), "127.0.0.1", METRICS_PORT)
            reader, writer = await asyncio.open_connection(sock=connection)
            try:
                writer.write(REQUEST)
                head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return ""
    return body if head.split()[1:2] == ["200"] else ""
