"""Connection tracking: what each node remembers of the connections that its rules have let through.

States and time limits are the kernel's (nf_conntrack_proto_tcp.c, nf_conntrack_proto_udp.c). How far a TCP connection
is the kernel's socket table tells when somebody asks; of UDP, the datagrams that pass the agent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple

from kubelab.engine.network.agent.interposed import socket_table
from kubelab.engine.network.agent.interposed.places import Site
from kubelab.engine.network.agent.interposed.routing import Track
from kubelab.engine.network.agent.interposed.sockets import End

UDP_SECONDS = 30.0
UDP_STREAM_SECONDS = 120.0
_STREAM_AFTER_SECONDS = 2.0
"""A UDP flow with answers is a stream when it is older than this."""
MOST = 16_384
"""How many connections are remembered, on all nodes together."""
_SYN_SENT_SECONDS, _CLOSE_SECONDS, _TIME_WAIT_SECONDS = 120.0, 10.0, 120.0
_TIME_WAIT_OF_SOCKETS = 60.0

_TCP: dict[int, tuple[str, float]] = {
    socket_table.ESTABLISHED: ("ESTABLISHED", 432_000),
    socket_table.SYN_SENT: ("SYN_SENT", _SYN_SENT_SECONDS),
    socket_table.SYN_RECV: ("SYN_RECV", 60),
    socket_table.FIN_WAIT1: ("FIN_WAIT", 120),
    socket_table.FIN_WAIT2: ("CLOSE_WAIT", 60),
    socket_table.TIME_WAIT: ("TIME_WAIT", _TIME_WAIT_SECONDS),
    socket_table.CLOSE_WAIT: ("CLOSE_WAIT", 60),
    socket_table.LAST_ACK: ("LAST_ACK", 30),
}
"""State of the client's socket → conntrack's state, and its time limit in seconds."""


class Connected(NamedTuple):
    """A connected UDP socket: its number, where its program runs, and whom it asked for. Nobody sees its datagrams."""

    inode: int
    site: Site
    peer: End


@dataclass(eq=False)
class Connection:
    """One connection, on all nodes that it passes."""

    proto: str
    tracks: tuple[Track, ...]
    source: End
    """The client's address in the kernel."""
    end: End
    """The server's."""
    client_port: int
    """As its program knows it."""
    begun: float
    until: float = 0
    """UDP: when it is forgotten. TCP: when it is, if it has ended."""
    answered: bool = False
    stream: bool = False
    forgotten: bool = False
    """Somebody has taken it out of a node's table: the next datagram asks the rules."""
    ended: str = ""
    """TCP: the state in which it ended."""
    last_seen: float = 0
    connected: Connected | None = None
    """The UDP socket whose flow it is, while it is."""

    def ends(self, track: Track) -> tuple[tuple[str, int, str, int], tuple[str, int, str, int]]:
        """The ends of its packets and of the answers on a node, with the client's port."""
        (src, sport, dst, dport), (asrc, asport, adst, adport) = track.first, track.answer
        return (src, sport or self.client_port, dst, dport), (asrc, asport, adst, adport or self.client_port)


class Entry(NamedTuple):
    """One line of ``conntrack -L``."""

    connection: Connection
    track: Track
    state: str
    """Empty for UDP."""
    seconds: int

    @property
    def first(self) -> tuple[str, int, str, int]:
        """Source, port, destination, port of the client's packets."""
        return self.connection.ends(self.track)[0]

    @property
    def answer(self) -> tuple[str, int, str, int]:
        """The same of the server's."""
        return self.connection.ends(self.track)[1]

    def line(self) -> str:
        """As ``conntrack -L`` prints it."""
        number = {"tcp": 6, "udp": 17}[self.connection.proto]
        state = f"{self.state} " if self.state else ""
        answered = self.connection.answered
        sure = self.connection.stream if self.connection.proto == "udp" else answered
        return (
            f"{self.connection.proto:<8} {number} {self.seconds} {state}{_ends(self.first)} "
            f"{'' if answered else '[UNREPLIED] '}{_ends(self.answer)} {'[ASSURED] ' if sure else ''}mark=0 use=1"
        )


def _ends(ends: tuple[str, int, str, int]) -> str:
    return "src={0} dst={2} sport={1} dport={3}".format(*ends)


class Tracking:
    """All connections of the cluster."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._connections: dict[Connection, None] = {}
        self._answers: dict[tuple[str, int, str, int], Connection] = {}
        """UDP: ends of a server's answer → the flow that it answers."""
        self.forgotten: Callable[[Iterable[Connected]], None] = lambda sockets: None
        """Told of connected sockets whose flows were forgotten: what they send next is for the rules to decide."""

    def enter(self, proto: str, tracks: tuple[Track, ...], source: End, end: End, client_port: int) -> Connection:
        """A new connection has passed these nodes."""
        if len(self._connections) >= MOST:
            self._make_room()
        now = self._now()
        made = Connection(proto, tracks, source, end, client_port, now, last_seen=now)
        self._connections[made] = None
        return made

    def sent(self, flow: Connection) -> None:
        """A UDP flow's client has sent a datagram."""
        self._prolong(flow)
        if flow.tracks:
            self._answers[flow.ends(flow.tracks[-1])[1]] = flow

    def answer(self, ends: tuple[str, int, str, int]) -> Connection | None:
        """The UDP flow that a datagram with these ends answers; it has been answered then."""
        flow = self._answers.get(ends)
        if flow is None or flow.until < self._now():
            return None
        flow.answered = True
        self._prolong(flow)
        return flow

    def _prolong(self, flow: Connection) -> None:
        now = self._now()
        flow.stream = flow.stream or (flow.answered and now - flow.begun > _STREAM_AFTER_SECONDS)
        flow.until = now + (UDP_STREAM_SECONDS if flow.stream else UDP_SECONDS)

    def alive(self, flow: Connection) -> bool:
        """Whether a UDP flow keeps its way."""
        return not flow.forgotten and flow.until >= self._now()

    def forget(self, entries: Iterable[Entry]) -> None:
        """Take connections out of a node's table."""
        sockets = []
        for connection, gone, _, _ in entries:
            rest = tuple(track for track in connection.tracks if track is not gone)
            if not rest:
                self._drop(connection)
            connection.tracks, connection.forgotten = rest, True
            if connection.connected:
                sockets.append(connection.connected)
                connection.connected = None
        if sockets:
            self.forgotten(sockets)

    def entries(self, node: str) -> Iterator[Entry]:
        """What a node's table holds, the youngest first."""
        self._look()
        now = self._now()
        for connection in reversed(list(self._connections)):
            for track in connection.tracks:
                if track.node == node:
                    state = connection.ended
                    yield Entry(connection, track, state, max(0, int(connection.until - now)))

    def count(self, node: str) -> int:
        """How many entries that are."""
        return sum(1 for _ in self.entries(node))

    def _look(self) -> None:
        """Bring every connection up to date, and forget those whose time has run out."""
        now = self._now()
        tcp, udp = socket_table.connections("tcp"), socket_table.connections("udp")
        for connection in list(self._connections):
            if connection.proto == "tcp":
                self._look_at(connection, tcp, now)
            elif connection.connected and (*connection.source, *connection.end) in udp:
                self._prolong(connection)
            if connection.until < now:
                self._drop(connection)

    @staticmethod
    def _look_at(connection: Connection, table: dict[socket_table.Ends, socket_table.State], now: float) -> None:
        client = table.get((*connection.source, *connection.end))
        server = table.get((*connection.end, *connection.source))
        found = client or server
        if found is not None:
            name, seconds = _TCP.get(found.number, ("ESTABLISHED", 432_000))
            connection.last_seen = now
            connection.answered = connection.answered or name != "SYN_SENT"
            connection.ended = name
            if name == "TIME_WAIT":
                seconds -= max(0.0, _TIME_WAIT_OF_SOCKETS - found.timer)
            connection.until = now + seconds
        elif connection.ended not in ("CLOSE", "TIME_WAIT"):
            # Both sockets are gone: it was reset, or refused, or has waited for its time.
            reset = now - connection.last_seen < _TIME_WAIT_OF_SOCKETS
            connection.answered = True
            connection.ended = "CLOSE" if reset else "TIME_WAIT"
            rest = _CLOSE_SECONDS if reset else _TIME_WAIT_SECONDS - (now - connection.last_seen)
            connection.until = now + rest

    def _make_room(self) -> None:
        self._look()
        for connection in list(self._connections)[: max(0, len(self._connections) - MOST * 3 // 4)]:
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        connection.forgotten = True
        self._connections.pop(connection, None)
        for ends in [connection.ends(track)[1] for track in connection.tracks]:
            if self._answers.get(ends) is connection:
                del self._answers[ends]
