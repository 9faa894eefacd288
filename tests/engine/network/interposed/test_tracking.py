"""What nodes remember of connections, by a clock that jumps."""

from __future__ import annotations

import socket

import pytest

from kubelab.engine.network.agent.interposed import conntrack_tool
from kubelab.engine.network.agent.interposed.routing import Track
from kubelab.engine.network.agent.interposed.tracking import Connected, Tracking

FIRST = ("10.244.0.9", 40000, "10.96.0.10", 53)
ANSWER = ("10.244.1.2", 5353, "172.18.0.2", 40000)
ON_WAY = (Track("one", FIRST, ANSWER), Track("two", ("172.18.0.2", 40000, "10.244.1.2", 5353), ANSWER))


class Clock:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tracking(clock):
    return Tracking(clock)


@pytest.fixture
def flow(tracking):
    """A UDP flow through two nodes, its first datagram sent."""
    made = tracking.enter("udp", ON_WAY, ("127.64.0.9", 40000), ("127.64.1.2", 5353), 40000)
    tracking.sent(made)
    return made


def listed(tracking, node="one", *words):
    return conntrack_tool.answer(tracking, node, ["-L", *words]).stdout.splitlines()


def test_a_flow_is_unreplied_then_answered_then_a_stream(tracking, flow, clock):
    assert listed(tracking) == [
        "udp      17 30 src=10.244.0.9 dst=10.96.0.10 sport=40000 dport=53 "
        "[UNREPLIED] src=10.244.1.2 dst=172.18.0.2 sport=5353 dport=40000 mark=0 use=1"
    ]
    assert tracking.answer(ANSWER) is flow
    clock.seconds += 1
    assert "[" not in listed(tracking)[0] and "udp      17 29 " in listed(tracking)[0]
    clock.seconds += 2
    tracking.sent(flow)
    assert "udp      17 120 " in listed(tracking)[0] and "[ASSURED]" in listed(tracking)[0]


def test_a_silent_flow_is_forgotten_on_every_node(tracking, flow, clock):
    assert [tracking.count(node) for node in ("one", "two", "three")] == [1, 1, 0]
    clock.seconds += 31
    assert not tracking.alive(flow)
    assert listed(tracking) == listed(tracking, "two") == []
    assert tracking.answer(ANSWER) is None


def test_a_deleted_flow_asks_the_rules_again_and_leaves_the_other_nodes_table(tracking, flow):
    done = conntrack_tool.answer(tracking, "one", ["-D", "-p", "udp", "--orig-port-dst", "53", "-r", "10.244.1.2"])
    assert (done.code, done.stderr) == (0, "conntrack v1.4.7 (kubelab): 1 flow entries have been deleted.\n")
    assert not tracking.alive(flow)
    assert listed(tracking) == [] and len(listed(tracking, "two")) == 1
    assert conntrack_tool.answer(tracking, "one", ["-D", "-p", "udp"]).code == 1


def test_a_connected_socket_is_redirected_once_it_is_forgotten(tracking, flow):
    redirected = []
    tracking.forgotten = redirected.extend
    flow.connected = Connected(7, None, ("10.96.0.10", 53))
    for node in ("one", "two"):
        conntrack_tool.answer(tracking, node, ["-F"])
    assert redirected == [(7, None, ("10.96.0.10", 53))]
    assert tracking.answer(ANSWER) is None


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["-p", "udp"], 1), (["-p", "tcp"], 0), (["-s", "10.244.0.9"], 1), (["--src", "10.244.0.8"], 0),
        (["--orig-dst=10.96.0.10"], 1), (["--dport", "53"], 1), (["--reply-src", "10.244.1.2"], 1),
        (["-q", "172.18.0.2"], 1), (["-f", "ipv6"], 0), (["-f", "ipv4"], 1), (["-g"], 1), (["-n"], 1),
        (["-u", "UNREPLIED"], 1), (["-u", "ASSURED"], 0), (["--state", "ESTABLISHED"], 0),
    ],
)  # fmt: skip
def test_filters_choose(tracking, flow, words, found):
    assert len(listed(tracking, "one", *words)) == found


@pytest.mark.parametrize("words", [["-E"], [], ["-L", "--bogus"], ["-L", "-u", "BOGUS"]])
def test_what_is_not_known_is_said_in_one_sentence(tracking, words):
    done = conntrack_tool.answer(tracking, "one", words)
    assert done.code == 2
    assert done.stderr.startswith("conntrack: this network does not know") and done.stderr.count("\n") == 1


def test_a_tcp_connection_is_in_the_state_of_its_sockets(tracking, clock):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, source = server.accept()
        accepted.settimeout(5)
        track = Track("one", ("10.244.0.9", 0, "10.96.0.1", 80), ("10.244.1.2", 8080, "10.244.0.9", 0))
        tracking.enter("tcp", (track,), source, server.getsockname(), source[1])
        assert listed(tracking) == [
            f"tcp      6 432000 ESTABLISHED src=10.244.0.9 dst=10.96.0.1 sport={source[1]} dport=80 "
            f"src=10.244.1.2 dst=10.244.0.9 sport=8080 dport={source[1]} [ASSURED] mark=0 use=1"
        ]
        client.close()
        with accepted:
            assert accepted.recv(1) == b""
            assert listed(tracking)[0].split()[3] in ("FIN_WAIT", "CLOSE_WAIT")  # told, or acknowledged too
        assert " TIME_WAIT src" in listed(tracking)[0]
    clock.seconds += 121
    assert len(listed(tracking)) == 1  # the kernel's socket waits still: the time is its


def test_a_refused_connection_is_closed_and_soon_forgotten(tracking, clock):
    track = Track("one", ("10.244.0.9", 0, "10.96.0.1", 80), ("10.244.1.2", 8080, "10.244.0.9", 0))
    tracking.enter("tcp", (track,), ("127.0.0.1", 1), ("127.0.0.1", 2), 1)
    assert " CLOSE src" in listed(tracking)[0]
    clock.seconds += 11
    assert listed(tracking) == []
