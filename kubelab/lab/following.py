"""`Lab.follow`: one real connection, and what the kernel of every node says of its first packet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Protocol

from kubelab.clusters.conversation import Talks
from kubelab.lab.errors import CannotRun, LabError, Lacking, TimedOut
from kubelab.lab.pods import Pod
from kubelab.lab.shell import CLIENT_ARGV
from kubelab.lab.survey import Survey, survey
from kubelab.lab.tracing import End, end_of, place_named
from kubelab.trace import CannotTrace, Flow, Followed, Header, Hop, Trace, read_conntrack
from kubelab.trace.observing import Event, Run, flow_of, header_of, hops_of, runs_of, visits_of

if TYPE_CHECKING:
    from kubelab.clusters.base import Node
    from kubelab.lab.lab import Lab

MARK = 0xBC
"""The packet's TOS byte: DSCP 47, of those that are for local use (RFC 2474, section 6)."""
READY_SECONDS = 15.0
ATTEMPTS = 3
"""Rules that change while the packet is under way cannot be told by their place: then it is sent once more."""


class _Talk(Protocol):
    """A program that is talked with: on a node, or in a pod."""

    def send(self, text: str) -> None: ...
    def lines(self, timeout_seconds: float) -> Iterator[str]: ...
    @property
    def stderr(self) -> str: ...
    def close(self) -> None: ...


class _Program:
    """A helper program: started, ready, told to go, done."""

    def __init__(self, talk: _Talk, where: str, name: str, job: Mapping[str, Any]) -> None:
        self._talk, self._where = talk, where
        talk.send(json.dumps({"program": _source(name), "job": job}) + "\n")
        self._lines = talk.lines(READY_SECONDS)

    def answer(self) -> dict[str, Any]:
        """The next line that it says. Raises `LabError`."""
        try:
            line = next(self._lines, None)
        except TimeoutError as error:
            raise TimedOut(f"The helper on {self._where} did not answer within {READY_SECONDS:g} s.") from error
        if line is None:
            said = (self._talk.stderr.strip().splitlines() or ["there is no python3"])[-1]
            raise CannotRun(f"The packet cannot be followed, the helper on {self._where} failed: {said}")
        found: dict[str, Any] = json.loads(line)
        return found

    def go(self) -> dict[str, Any]:
        """Tell it to do what it is there for, and wait for what it says."""
        self._talk.send("\n")
        return self.answer()

    def close(self) -> None:
        """End it."""
        self._talk.close()


@cache
def _source(name: str) -> str:
    return resources.files("kubelab.lab").joinpath(name).read_text()


@dataclass(frozen=True)
class _Heard:
    """What one attempt brought."""

    seen: Survey
    end: End
    client: Mapping[str, Any]
    events: Mapping[str, Sequence[Event]]
    """Place → what its kernel said."""
    after: Mapping[str, Sequence[Flow]]
    changed: bool


def follow(
    lab: Lab,
    source: str | Pod,
    target: str | Pod,
    port: int | str = 0,
    protocol: str = "tcp",
    *,
    source_port: int = 0,
    path: str = "/",
    timeout: float = 0.8,
) -> Followed:
    """See `Lab.follow`."""
    if "kernel rules" not in lab.cluster.capabilities:
        raise Lacking(
            "There is no kernel to ask here: on this cluster rules are evaluated by kubelab itself, which is what "
            "lab.trace() shows."
        )
    protocol = protocol.lower()
    if protocol not in ("tcp", "udp"):
        raise LabError(f"A packet can be followed over tcp or udp, not over {protocol}.")
    sender = place_named(lab, source)
    for _ in range(ATTEMPTS):
        with ExitStack() as stack:
            heard = _attempt(lab, stack, sender, target, port, protocol, source_port, path, timeout)
        if not heard.changed:
            break
    return _followed(lab, sender, protocol, heard)


def _attempt(
    lab: Lab, stack: ExitStack, sender: str, target: str | Pod, port: int | str, protocol: str,
    source_port: int, path: str, timeout: float,
) -> _Heard:  # fmt: skip
    """Listen everywhere, read the rules, send, and hear."""
    places = [*lab.cluster.nodes(), lab.cluster.outside]
    with ThreadPoolExecutor(len(places) + 1) as pool:
        listening = list(pool.map(lambda place: _listener(stack, place, protocol), places))
        seen = survey(lab)
        end = end_of(lab, seen, target, port, protocol, outside=sender == "outside")
        job = {
            "protocol": protocol, "address": end.address, "port": end.port, "tos": MARK, "timeout": timeout,
            "source_port": source_port, "path": path, "host": str(target if isinstance(target, str) else target.alias),
        }  # fmt: skip
        client = _sender(lab, stack, seen, sender, job)
        for each in (*listening, client):
            each.answer()  # it is ready
        said = client.go()
        heard = dict(zip((place.name for place in places), pool.map(_Program.go, listening), strict=True))
        passed = [place for place in places if heard[place.name]["events"]]
        after = dict(zip((place.name for place in passed), pool.map(_connections, passed), strict=True))
    events = {name: each["events"] for name, each in heard.items()}
    return _Heard(seen, end, said, events, after, any(each["changed"] for each in heard.values()))


def _listener(stack: ExitStack, place: Node, protocol: str) -> _Program:
    if not isinstance(place, Talks):
        raise LabError(
            "What the kernel of this cluster's nodes says cannot be heard from here; lab.trace() computes it."
        )
    talk = stack.enter_context(closing(place.talk(CLIENT_ARGV)))
    return _Program(talk, place.name, "listener_program.py", {"tos": MARK, "protocol": protocol})


def _sender(lab: Lab, stack: ExitStack, seen: Survey, sender: str, job: Mapping[str, Any]) -> _Program:
    pod = lab.find_pod(sender) if sender != "outside" else None
    if pod is not None:
        talk: _Talk = stack.enter_context(closing(lab.api.run(lab.namespace, pod.name, CLIENT_ARGV)))
        return _Program(talk, f"pod {pod.alias}", "packet_program.py", job)
    named = seen.picture.named(sender)
    nodes = {place.name: place for place in (*lab.cluster.nodes(), lab.cluster.outside)}
    if named is None or named.name not in nodes:
        raise LabError(f"A packet can be sent from a pod of {lab.namespace}, a node or 'outside', not from {sender!r}.")
    node = nodes[named.name]
    if not isinstance(node, Talks):
        raise LabError(f"No packet can be sent from {sender} from here.")
    return _Program(stack.enter_context(closing(node.talk(CLIENT_ARGV))), sender, "packet_program.py", job)


def _connections(place: Node) -> Sequence[Flow]:
    done = place.run(["conntrack", "-L"])
    return read_conntrack(done.stdout) if done.code == 0 else ()


def _followed(lab: Lab, sender: str, protocol: str, heard: _Heard) -> Followed:
    seen, client = heard.seen, heard.client
    named = seen.picture.named(sender)
    name = named.name if named is not None else sender
    sent = Header(protocol, client["from"][0], client["from"][1], heard.end.address, heard.end.port)
    first = _first_packet(heard, sent) or {}
    way = _way(heard, lambda packet: (packet["tos"] & 0xFC, packet["ip_id"]) == (MARK, first.get("ip_id")))
    back: _Way = []
    if "sequence" in first:
        answers = (first["sequence"] + 1) & 0xFFFFFFFF
        back = _way(heard, lambda packet: packet.get("acknowledges") == answers)
    came = [(place, runs[0].header) for place, runs in way]
    body = _json(client["body"])
    server = lab.find_pod(str(body.get("pod") or ""))
    notes = [] if way or client["end"] not in ("connected", "answered") else [_UNHEARD]
    notes += [_CHANGING] if heard.changed else []
    return Followed(
        name,
        sent,
        client["end"],
        tuple(_hops(heard, way)),
        tuple(_hops(heard, back)),
        server=server.alias if server is not None else "",
        peer=str(body.get("peer") or ""),
        peer_port=int(body.get("peer_port") or 0),
        before=tuple(_entries(came, {place: _known(seen, place) for place, _ in came})),
        after=tuple(_entries(came, heard.after)),
        computed=_computed(seen, name, protocol, sent),
        notes=tuple(notes),
        names=seen.names,
    )


_UNHEARD = "No node's kernel said anything of the packet: it met no rule, or the rules are in the old tables (legacy)."
_CHANGING = "Rules were changed meanwhile, again and again: a hop may show another rule than was asked."


def _known(seen: Survey, place: str) -> Sequence[Flow]:
    return read_conntrack(seen.picture.places[place].texts.get("conntrack", ""))


def _entries(came: Iterable[tuple[str, Header]], known: Mapping[str, Sequence[Flow]]) -> Iterator[tuple[str, Flow]]:
    """The connections that the packet belongs to where it came by."""
    for place, header in came:
        yield from ((place, flow) for flow in known[place] if flow.first == header[:5])


def _computed(seen: Survey, sender: str, protocol: str, sent: Header) -> Trace | None:
    try:
        return seen.trace(sender, sent.destination, sent.destination_port, protocol, source_port=sent.source_port)
    except CannotTrace:
        return None


def _json(text: str) -> dict[str, Any]:
    """What a server said of itself, when it did."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


_Way = list[tuple[str, list[Run]]]
"""Places in the order in which a packet came to them, and the base chains that it passed there."""


def _way(heard: _Heard, belongs: Callable[[Mapping[str, Any]], bool]) -> _Way:
    """The way of the packet whose header belongs. Every place lowers the TTL of what it sends on."""
    found = []
    for place, events in heard.events.items():
        by_packet: dict[str, list[Event]] = {}
        for event in events:
            by_packet.setdefault(event["id"], []).append(event)
        runs = [run for theirs in by_packet.values() for run in runs_of(theirs) if belongs(run.packet)]
        found += [(place, visit) for visit in visits_of(runs)]
    return sorted(found, key=lambda each: (-each[1][0].came_with, each[1][0].in_interface != ""))


def _first_packet(heard: _Heard, sent: Header) -> Mapping[str, Any] | None:
    """The marked packet as it was when the kernel saw it first."""
    starts = [event["packet"] for events in heard.events.values() for event in events if "packet" in event]
    marked = [packet for packet in starts if packet["tos"] & 0xFC == MARK and header_of(packet)[:5] == sent[:5]]
    return max(marked, key=lambda packet: int(packet["ttl"]), default=None)


def _hops(heard: _Heard, way: _Way) -> list[Hop]:
    found: list[Hop] = []
    for at, (place, runs) in enumerate(way):
        left = way[at + 1][1][0].header if at + 1 < len(way) else None
        flow = flow_of(heard.after[place], runs[0].header)
        found += hops_of(heard.seen.picture.places[place], runs, flow, left)
    return found
