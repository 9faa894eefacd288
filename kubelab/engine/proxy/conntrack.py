"""Forgetting UDP flows that lead to endpoints which are gone: UDP has no handshake to notice by.

Only flows to addresses and ports of known Services are looked at, and only where another endpoint still serves.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import NamedTuple

from kubelab.engine.proxy.services import PortName
from kubelab.engine.proxy.state import ProxyState
from kubelab.engine.proxy.tool import NO_SUCH_TOOL, Run

log = logging.getLogger(__name__)

_FLOW = re.compile(
    r"src=(?P<src>\S+) dst=(?P<dst>\S+) sport=(?P<sport>\d+) dport=(?P<dport>\d+) .*?src=(?P<reply>\S+) dst=\S+ sport="
)


class Flow(NamedTuple):
    """A flow to a Service: original destination, and who answers."""

    destination: str
    port: int
    answered_by: str


def stale_flows(listing: str, state: ProxyState, names: Iterable[PortName]) -> list[Flow]:
    """The flows in ``conntrack -L -p udp`` to one of the ports whose answering side does not serve any more."""
    by_address: dict[tuple[str, int], set[str]] = {}
    by_node_port: dict[int, set[str]] = {}
    for name in names:
        port = state.services.get(name)
        serving = {endpoint.ip for endpoint in state.endpoints_of(name) if endpoint.serving}
        if port is None or not serving:
            continue
        for ip in (port.cluster_ip, *port.external_ips, *port.load_balancer_vips):
            by_address[ip, port.port] = serving
        if port.node_port:
            by_node_port[port.node_port] = serving
    found: dict[Flow, None] = {}
    for match in _FLOW.finditer(listing):
        flow = Flow(match["dst"], int(match["dport"]), match["reply"])
        serving_here = by_address.get((flow.destination, flow.port)) or by_node_port.get(flow.port)
        if serving_here is not None and flow.answered_by not in serving_here:
            found[flow] = None
    return list(found)


async def forget_stale_flows(run: Run, state: ProxyState, changed: Iterable[PortName]) -> int:
    """Delete what `stale_flows` finds; how many kinds of flow were. Without the tool ``conntrack`` nothing is done."""
    names = [name for name in changed if name.protocol == "udp" and name in state.services]
    if not names:
        return 0
    family = f"ipv{state.family}"
    listed = await run(["conntrack", "-L", "-f", family, "-p", "udp"], b"")
    if listed.code == NO_SUCH_TOOL:
        log.debug("conntrack is not installed; stale UDP flows end by themselves")
        return 0
    flows = stale_flows(listed.stdout.decode(), state, names)
    for flow in flows:
        where = ["-d", flow.destination, "--orig-port-dst", str(flow.port), "-r", flow.answered_by]
        await run(["conntrack", "-D", "-f", family, "-p", "udp", *where], b"")
    return len(flows)
