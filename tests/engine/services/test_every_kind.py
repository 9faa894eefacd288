"""A table of what Kubernetes 1.36 does with traffic to every kind of Service, asked of real pods.

Sources: the Service, Virtual IPs and EndpointSlice pages of kubernetes.io, KEP-1669 (terminating endpoints), KEP-3015
and KEP-4444 (trafficDistribution), KEP-2086 (internalTrafficPolicy).
"""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]

BOTH = {"one", "two"}

# from, to (a Service's name stands for its cluster IP), who answers or what goes wrong, and the client as servers saw
# it: "me" (the pod's own address), addresses, or None where it is the node's business.
TABLE = [
    # A cluster IP, from everywhere
    ("three", "tcp:plain:80", BOTH, "me"),
    ("three", "udp:plain:80", BOTH, "me"),
    ("one", "tcp:plain:80", {"one": "10.244.1.1", "two": "me"}, None),  # to itself: by way of its node
    ("worker", "tcp:plain:80", {"one": "10.244.1.1", "two": "172.18.0.3"}, None),
    ("control-plane", "tcp:plain:80", BOTH, "172.18.0.2"),
    ("host", "tcp:plain:80", {"one": "172.18.0.4", "two": "10.244.2.1"}, None),
    ("outside", "tcp:plain:80", {"no way"}, None),
    ("three", "tcp:several:80", BOTH, "me"),
    ("three", "tcp:several:81", BOTH, "me"),
    ("three", "tcp:plain:82", {"silence"}, None),
    # Node ports: one number for two protocols, on every node and on loopback
    ("outside", "tcp:172.18.0.2:30080", BOTH, "172.18.0.2"),
    ("outside", "tcp:172.18.0.3:30080", {"one": "10.244.1.1", "two": "172.18.0.3"}, None),
    ("outside", "udp:172.18.0.4:30080", {"one": "172.18.0.4", "two": "10.244.2.1"}, None),
    ("worker", "tcp:127.0.0.1:30080", {"one": "10.244.1.1", "two": "172.18.0.3"}, None),
    ("three", "tcp:172.18.0.4:30080", BOTH, None),
    # externalTrafficPolicy: Local keeps the client, and only nodes with an endpoint answer those from outside
    ("outside", "tcp:172.18.0.3:30081", {"one"}, "172.18.0.1"),
    ("outside", "tcp:172.18.0.4:30081", {"silence"}, None),
    ("two", "tcp:172.18.0.4:30081", {"one"}, "me"),
    ("worker2", "tcp:172.18.0.4:30081", {"one"}, "172.18.0.4"),
    # Load balancers
    ("outside", "tcp:172.18.255.10:80", BOTH, None),
    ("outside", "udp:172.18.255.10:80", BOTH, None),
    ("three", "tcp:172.18.255.10:80", BOTH, None),
    ("worker", "tcp:172.18.255.10:80", BOTH, None),
    ("outside", "tcp:172.18.255.11:80", {"one"}, "172.18.0.1"),
    ("two", "tcp:172.18.255.11:80", {"one"}, "me"),
    ("worker2", "tcp:172.18.255.11:80", {"one"}, "172.18.0.4"),
    ("outside", "tcp:172.18.255.12:80", {"silence"}, None),  # not in its source ranges
    ("three", "tcp:172.18.255.12:80", BOTH, None),
    ("outside", "tcp:172.18.255.13:80", BOTH, None),
    ("outside", "tcp:172.18.255.14:80", {"refused"}, None),
    # Others' addresses
    ("three", "tcp:192.0.2.10:80", BOTH, None),
    ("worker", "tcp:192.0.2.10:80", BOTH, None),
    # Names instead of addresses
    ("three", "tcp:headless.default.svc:8080", {"one"}, "me"),
    ("three", "tcp:headless-sick.default.svc:8080", {"no such name"}, None),
    ("three", "tcp:headless-published.default.svc:8080", {"sick"}, "me"),
    ("three", "tcp:alias.default.svc:80", BOTH, "me"),
    # Endpoints that somebody wrote
    ("three", "tcp:by-hand:80", {"one"}, "me"),
    ("three", "tcp:by-old-hand:80", {"two"}, "me"),
    # Policies
    ("one", "tcp:internal-local:80", {"one"}, None),
    ("worker", "tcp:internal-local:80", {"one"}, "10.244.1.1"),
    ("two", "tcp:internal-local:80", {"silence"}, None),
    ("one", "tcp:same-node:80", {"one"}, None),
    ("two", "tcp:same-node:80", {"two"}, None),
    ("three", "tcp:same-node:80", BOTH, "me"),
    ("one", "tcp:same-zone:80", {"one"}, None),
    ("host", "tcp:same-zone:80", {"two"}, None),
    ("three", "tcp:same-zone:80", BOTH, "me"),
    # Readiness
    ("three", "tcp:sick:80", {"refused"}, None),
    ("worker", "tcp:sick:80", {"refused"}, None),
    ("three", "tcp:published:80", {"sick"}, "me"),
    ("three", "tcp:leaving:80", {"leaving"}, "me"),
    ("three", "tcp:empty:80", {"refused"}, None),
    ("outside", "tcp:172.18.0.3:30082", {"refused"}, None),
    ("worker", "tcp:127.0.0.1:30082", {"refused"}, None),
    # A server on its node's own network
    ("three", "tcp:on-the-host:80", {"host"}, "me"),
]


def seen(scene, source: str, answers: set[str] | dict[str, str], peer: str | None) -> dict[str, set[str] | None]:
    """What the table says, as `Scene.ask` puts it; None where any client address will do."""
    by_name = answers if isinstance(answers, dict) else dict.fromkeys(answers, peer)
    return {name: {scene.ip(source) if each == "me" else each} if each else None for name, each in by_name.items()}


@pytest.mark.parametrize(("source", "target", "answers", "peer"), TABLE, ids=[f"{row[0]} to {row[1]}" for row in TABLE])
def test_traffic_ends_where_it_should(scene, source, target, answers, peer):
    protocol, host, port = target.split(":")
    where = f"{protocol}:{host if '.' in host else scene.cluster_ip(host)}:{port}"
    wanted = seen(scene, source, answers, peer)
    heard = scene.settled(source, where, wanted)
    assert heard == {name: peers or heard.get(name) for name, peers in wanted.items()}
