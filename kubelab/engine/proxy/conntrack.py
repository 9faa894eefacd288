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


def endpoints_differ(before: ProxyState, after: ProxyState, names: Iterable[PortName]) -> bool:
    """Whether one of these UDP ports has other endpoints than before: what kube-proxy looks for stale flows after."""
    udp = (name for name in names if name.protocol == "udp")
    return any(before.endpoints_of(name) != after.endpoints_of(name) for name in udp)


def stale_flows(listing: str, state: ProxyState) -> list[Flow]:
    """The flows in ``conntrack -L -p udp`` to any Service's UDP port whose answering side does not serve any more."""
    by_address: dict[tuple[str, int], set[str]] = {}
    by_node_port: dict[int, set[str]] = {}
    for name, port in state.services.items():
        serving = {endpoint.ip for endpoint in state.endpoints_of(name) if endpoint.serving}
        if name.protocol != "udp" or not serving:
            continue
        for ip in (port.cluster_ip, *port.external_ips, *port.load_balancer_vips):
            by_address[ip, port.port] = serving
        if port.node_port:
            by_node_port[port.node_port] = serving
    found: dict[Flow, None] = {}
    for match in _FLOW.finditer(listing):
        flow = Flow(match["dst"], int(match["dport"]), match["reply"])
        known = (by_address.get((flow.destination, flow.port)), by_node_port.get(flow.port))
        if any(serving and flow.answered_by not in serving for serving in known):
            found[flow] = None
    return list(found)


async def forget_stale_flows(run: Run, state: ProxyState) -> int:
    """Delete what `stale_flows` finds; how many kinds of flow were. Without the tool ``conntrack`` nothing is done."""
    family = f"ipv{state.family}"
    listed = await run(["conntrack", "-L", "-f", family, "-p", "udp"], b"")
    if listed.code == NO_SUCH_TOOL:
        log.debug("conntrack is not installed; stale UDP flows end by themselves")
        return 0
    flows = stale_flows(listed.stdout.decode(), state)
    for flow in flows:
        where = ["-d", flow.destination, "--orig-port-dst", str(flow.port), "-r", flow.answered_by]
        await run(["conntrack", "-D", "-f", family, "-p", "udp", *where], b"")
    return len(flows)
