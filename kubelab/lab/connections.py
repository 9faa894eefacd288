"""The connections that a node's kernel remembers, in a lesson's words.

``conntrack -L`` prints each connection as two tuples: as its first packet came, and as answers come back. What
kube-proxy translated is the difference. `Connections` names the ends and leaves out what is another on every run.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, overload

from kubelab.clusters.base import Node
from kubelab.lab.addressbook import AddressBook, address_book, named_service
from kubelab.lab.errors import LabError
from kubelab.lab.pods import Pod, natural
from kubelab.trace import Flow, read_flow

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab

PROTOCOLS = ("tcp", "udp", "sctp", "icmp")
_CLOSED = ("TIME_WAIT", "CLOSE", "LAST_ACK")
_COMMAND_NOT_FOUND = 127
_SECONDS = re.compile(r"^(?:ipv\d +\d+ +)?\w+ +\d+ +(\d+) ")


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection in one node's table."""

    node: str
    protocol: str
    source: str
    """The client: a pod, a node, ``outside``."""
    asked: str
    """Where its first packet was sent: ``Service web:80``, ``Service web:80 at kubelab-worker`` (NodePort),
    ``web-1:8080``."""
    server: str
    """Where kube-proxy's rules sent it: ``web-1:8080``; the same as ``asked`` when nothing was translated."""
    seen_as: str
    """Whom the server takes for the client: ``source``, or the node that masqueraded."""
    service: str
    """The Service that was asked; empty when it was none."""
    state: str
    """TCP's, as ``ESTABLISHED``; empty where the protocol has none."""
    seconds: int
    """Until the kernel forgets it, unless a packet comes."""
    assured: bool
    """``[ASSURED]``: it is not dropped early when the table is full. TCP: the handshake is done. UDP: both sides have
    sent, the client more than once and for longer than two seconds."""
    unanswered: bool
    """``[UNREPLIED]``: nothing has come back yet."""
    flow: Flow
    """Both tuples, with addresses and ports as they are."""

    @property
    def open(self) -> bool:
        """Whether packets still belong to it; an ended TCP connection is kept for a while (TIME_WAIT: 120 s)."""
        return self.state not in _CLOSED

    @property
    def translated(self) -> bool:
        """Whether the destination is another than the client meant (DNAT)."""
        return self.flow.destination_translated

    @property
    def masqueraded(self) -> bool:
        """Whether the server sees another address than the client's (SNAT)."""
        return self.flow.reply_destination != self.flow.source

    @property
    def flags(self) -> str:
        """``[UNREPLIED]``, ``[ASSURED]`` or nothing, as ``conntrack`` writes it."""
        return "[UNREPLIED]" if self.unanswered else "[ASSURED]" if self.assured else ""

    def __str__(self) -> str:
        arrow = f"{self.asked} → {self.server}" if self.translated else self.asked
        seen = f", seen as {self.seen_as}" if self.masqueraded else ""
        words = " ".join(word for word in (self.protocol, self.state, self.flags) if word)
        return f"{self.node}: {self.source} → {arrow}{seen} ({words})"


class Connections(Sequence[Connection]):
    """Connections by node, protocol, destination and server. Shows counts by what was asked, which chance does not
    decide; who serves is in `servers`, every line in `text`."""

    def __init__(self, connections: Iterable[Connection], note: str = "") -> None:
        self._connections = tuple(sorted(connections, key=_order))
        self.note = note
        """Whose table it is, when it is not a kernel's, in a sentence."""

    @overload
    def __getitem__(self, index: int) -> Connection: ...
    @overload
    def __getitem__(self, index: slice) -> Connections: ...
    def __getitem__(self, index: int | slice) -> Connection | Connections:
        if isinstance(index, slice):
            return Connections(self._connections[index], self.note)
        return self._connections[index]

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._connections)

    @property
    def counts(self) -> dict[str, int]:
        """How many there are by what the client asked: ``{"Service web:80": 20}``."""
        counted = Counter(each.asked for each in self)
        return {asked: counted[asked] for asked in sorted(counted, key=natural)}

    @property
    def servers(self) -> dict[str, int]:
        """How many went to each server: ``{"web-1:8080": 7, "web-2:8080": 13}``. (Which one is chance.)"""
        counted = Counter(each.server for each in self)
        return {server: counted[server] for server in sorted(counted, key=_by_host)}

    @property
    def states(self) -> dict[str, int]:
        """How many are in each state: ``{"ESTABLISHED": 1, "TIME_WAIT": 19}``; UDP has none and is not counted."""
        return dict(sorted(Counter(each.state for each in self if each.state).items()))

    @property
    def open(self) -> Connections:
        """Without TCP connections that have ended and are only remembered."""
        return Connections((each for each in self if each.open), self.note)

    def __repr__(self) -> str:
        if not self:
            return "Connections(none)"
        return "Connections(" + ", ".join(self._line(asked, count) for asked, count in self.counts.items()) + ")"

    def _line(self, asked: str, count: int) -> str:
        servers = {each.server for each in self if each.asked == asked and each.translated}
        return f"{count} to {asked}" + (f" → {len(servers)} server{'s' * (len(servers) != 1)}" if servers else "")

    def text(self) -> str:
        """Every kind of connection on a line: by name, without ports that a kernel chose and without seconds."""
        lines = [f"{line}{f'  × {count}' if count > 1 else ''}" for line, count in Counter(map(str, self)).items()]
        return "\n".join([*lines, *([self.note] if self.note else [])])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align: left'>{escape(asked)}</td><td>{count}</td>"
            f"<td>{len({each.server for each in self if each.asked == asked})}</td></tr>"
            for asked, count in self.counts.items()
        )
        note = f"<p>{escape(self.note)}</p>" if self.note else ""
        if not rows:
            return f"<p>No connections.</p>{note}"
        head = "".join(f"<th scope='col'>{word}</th>" for word in ("asked", "connections", "servers"))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{note}"


def connections(
    lab: Lab,
    *,
    node: str | None = None,
    service: str | None = None,
    source: str | Pod | None = None,
    protocol: str | None = None,
) -> Connections:
    """What `Lab.connections` says."""
    proto = protocol.lower() if protocol else None
    if proto is not None and proto not in PROTOCOLS:
        raise LabError(f"conntrack knows no protocol {protocol!r}; ask for {', '.join(PROTOCOLS)}.")
    chosen = [named_node(lab, node)] if node else lab.cluster.nodes()
    note = who_tracks(lab)
    book = address_book(lab)
    asked = named_service(lab, book, service) if service else None
    client = _client(lab, source)
    found = [each for place in chosen for each in listed(place, book)]
    kept = (
        each
        for each in found
        if (asked is None or each.service == asked)
        and (client is None or client in (each.source, each.flow.source))
        and (proto is None or each.protocol == proto)
    )
    return Connections(kept, note)


def listed(node: Node, book: AddressBook) -> list[Connection]:
    """A node's whole table. Raises `LabError` when it cannot be read."""
    finished = node.run(["conntrack", "-L"])
    if finished.code == _COMMAND_NOT_FOUND:
        raise LabError(
            "The connection table is read with the program `conntrack`, which is not there: apt-get install conntrack."
        )
    if finished.code != 0:
        said = (finished.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise LabError(f"`conntrack -L` on {node.name} failed: {said}")
    return [_connection(node.name, line, book) for line in finished.stdout.splitlines() if "src=" in line]


def named_node(lab: Lab, name: str) -> Node:
    """A node by its name or the end of it: ``worker2``. Raises `LabError`."""
    nodes = lab.cluster.nodes()
    for node in nodes:
        if name in (node.name, node.name.removeprefix(f"{lab.cluster.name}-")):
            return node
    raise LabError(f"There is no node {name!r}; there are {', '.join(node.name for node in nodes) or 'none'}.")


def who_tracks(lab: Lab) -> str:
    """What is to be said where it is not a kernel that tracks the connections; else nothing."""
    if "kernel rules" in lab.cluster.capabilities:
        return ""
    return "No kernel tracks connections here: this is the table that kubelab keeps in its place."


def _client(lab: Lab, source: str | Pod | None) -> str | None:
    if source is None or isinstance(source, Pod):
        return source.alias if source is not None else None
    pod = lab.find_pod(source)
    return pod.alias if pod else source


def _connection(node: str, line: str, book: AddressBook) -> Connection:
    flow = read_flow(line)
    front = book.front(flow.protocol, flow.destination, flow.destination_port)
    asked = str(front) if front else book.end(flow.protocol, flow.destination, flow.destination_port)
    server = (
        book.end(flow.protocol, flow.reply_source, flow.reply_source_port) if flow.destination_translated else asked
    )
    seconds = _SECONDS.match(line)
    return Connection(
        node=node,
        protocol=flow.protocol,
        source=book.name(flow.source),
        asked=asked,
        server=server,
        seen_as=book.name(flow.reply_destination),
        service=front.service if front else "",
        state=flow.state,
        seconds=int(seconds[1]) if seconds else 0,
        assured="[ASSURED]" in line,
        unanswered=flow.unanswered,
        flow=flow,
    )


def _order(each: Connection) -> tuple[object, ...]:
    return each.node, each.protocol, natural(each.asked), _by_host(each.server), each.source, each.flow.source_port


def _by_host(end: str) -> tuple[str, int]:
    """Puts ``web-10:8080`` after ``web-9:8080``."""
    return natural(end.partition(":")[0])
