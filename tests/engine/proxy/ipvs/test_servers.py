"""Graceful termination, and the commands from one set of virtual servers to another."""

from __future__ import annotations

from kubelab.engine.proxy.ipvs.conntrack import connections, counted
from kubelab.engine.proxy.ipvs.plan import RealServer, VirtualServer
from kubelab.engine.proxy.ipvs.servers import (
    Open,
    RealKey,
    by_key,
    commands,
    drained_keys,
    may_drain,
    not_ours,
    with_draining,
)

KEY = ("10.96.0.1", 80, "tcp")


def servers(*real: str, protocol: str = "tcp", **settings):
    """One virtual server; ``10.0.0.1=0`` is a real server with weight 0."""
    found = []
    for text in real:
        address, _, weight = text.partition("=")
        found.append(RealServer(address, 8080, int(weight or 1)))
    return by_key([VirtualServer("10.96.0.1", 80, protocol, **settings, real_servers=tuple(found))])


def connected(address: str, **counts: int):
    return {RealKey(KEY, address, 8080): Open(**counts)}


def test_a_real_server_with_connections_stays_with_weight_0():
    before, wanted = servers("10.0.0.1", "10.0.0.2"), servers("10.0.0.2")
    assert may_drain(before, wanted)
    for open_ in (connected("10.0.0.1", active=1), connected("10.0.0.1", inactive=1)):
        after = with_draining(before, wanted, open_)
        assert after == servers("10.0.0.2", "10.0.0.1=0")
        assert commands(before, after) == ["-e -t 10.96.0.1:80 -r 10.0.0.1:8080 -m -w 0"]
        assert with_draining(after, wanted, open_) == after, "for as long as they are open"
        assert commands(after, with_draining(after, wanted, {})) == ["-d -t 10.96.0.1:80 -r 10.0.0.1:8080"]


def test_without_connections_and_without_tcp_it_goes_at_once():
    before, wanted = servers("10.0.0.1", "10.0.0.2"), servers("10.0.0.2")
    assert with_draining(before, wanted, connected("10.0.0.2", active=7)) == wanted
    for protocol in ("udp", "sctp"):
        before, wanted = servers("10.0.0.1", protocol=protocol), servers(protocol=protocol)
        assert not may_drain(before, wanted)
        assert with_draining(before, wanted, {RealKey((*KEY[:2], protocol), "10.0.0.1", 8080): Open(0, 1)}) == wanted


def test_a_real_server_that_returns_while_it_is_drained_is_made_anew():
    before, wanted = servers("10.0.0.1=0"), servers("10.0.0.1")
    assert commands(before, wanted, drained_keys(before)) == [
        "-d -t 10.96.0.1:80 -r 10.0.0.1:8080",
        "-a -t 10.96.0.1:80 -r 10.0.0.1:8080 -m -w 1",
    ]
    assert commands(before, wanted) == ["-e -t 10.96.0.1:80 -r 10.0.0.1:8080 -m -w 1"], "at first only its weight"


def test_a_virtual_server_goes_with_everything_behind_it():
    before = servers("10.0.0.1")
    assert with_draining(before, {}, connected("10.0.0.1", active=1)) == {}
    assert commands(before, {}) == ["-D -t 10.96.0.1:80"]
    assert commands({}, before) == ["-A -t 10.96.0.1:80 -s rr", "-a -t 10.96.0.1:80 -r 10.0.0.1:8080 -m -w 1"]


def test_settings_are_edited():
    before, after = servers("10.0.0.1"), servers("10.0.0.1", persistence=300, scheduler="sh")
    assert commands(before, after) == ["-E -t 10.96.0.1:80 -s sh -p 300"]
    assert commands(before, before) == []


def test_excluded_ranges_and_the_other_family_are_left_alone():
    known = by_key([VirtualServer(ip, 80, "tcp") for ip in ("10.96.0.1", "192.0.2.7", "fd00::1")])
    assert not_ours(known, 4, ("192.0.2.0/24", "fd00::/8")) == {("192.0.2.7", 80, "tcp"), ("fd00::1", 80, "tcp")}


FLOWS = """\
tcp      6 431997 ESTABLISHED src=10.244.1.3 dst=10.96.0.1 sport=40001 dport=80 \
src=10.0.0.1 dst=10.244.1.3 sport=8080 dport=40001 [ASSURED] mark=0 use=1
tcp      6 117 TIME_WAIT src=172.18.0.3 dst=10.96.0.1 sport=40002 dport=80 \
src=10.0.0.1 dst=10.244.1.1 sport=8080 dport=9 [ASSURED] mark=0 use=1
tcp      6 431997 ESTABLISHED src=10.244.1.3 dst=10.0.0.1 sport=40001 dport=8080 \
src=10.0.0.1 dst=10.244.1.3 sport=8080 dport=40001 [ASSURED] mark=0 use=1
udp      17 28 src=10.244.1.3 dst=10.96.0.10 sport=4444 dport=53 [UNREPLIED] \
src=10.0.0.9 dst=10.244.1.3 sport=53 dport=4444 mark=0 use=1
"""


def test_connection_tracking_knows_the_connections():
    known = {KEY, ("10.96.0.10", 53, "udp")}
    assert counted(FLOWS, known) == {
        RealKey(KEY, "10.0.0.1", 8080): Open(1, 1),
        RealKey(("10.96.0.10", 53, "udp"), "10.0.0.9", 53): Open(0, 1),
    }
    assert [(each.client, each.state, each.expire) for each in connections(FLOWS, known)] == [
        ("10.244.1.3", "ESTABLISHED", 431997),
        ("172.18.0.3", "TIME_WAIT", 117),
        ("10.244.1.3", "UDP", 28),
    ]
