"""`trace`: who sends what to whom, and which ways it may go."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from kubelab.trace.chains import run
from kubelab.trace.conntrack import Flow, read_flow
from kubelab.trace.course import arrive, send_from_place, send_from_pod
from kubelab.trace.errors import CannotTrace
from kubelab.trace.journey import Journey
from kubelab.trace.outcome import Outcome, Trace
from kubelab.trace.packet import WITH_PORTS, Header
from kubelab.trace.places import OUTSIDE, Picture, Place, Pod

_SENDER = "somewhere outside"


def trace(
    picture: Picture,
    source: str,
    destination: str,
    port: int = 0,
    protocol: str = "tcp",
    *,
    source_port: int = 0,
    draw: float | Sequence[float] | None = None,
    connection: Flow | str | None = None,
    remembered: str | Iterable[str] = (),
    via: str = "",
) -> Trace:
    """Follow a packet through a cluster's rules: all outcomes with their probabilities.

    ``source``: a pod (``default/client``), a node (a process on it), ``outside``, or an address. ``destination``: an
    address, ``address:port``, or a pod's or node's name. ``protocol``: ``tcp``, ``udp``, ``sctp`` or ``icmp``.

    The packet opens a connection, unless ``source_port`` is given and a node's ``conntrack -L`` knows the connection.
    ``connection`` is one that the first node knows besides (a line of ``conntrack -L``).
    ``draw`` settles what is left to chance: numbers in [0, 1), one for every draw in the order of the rules (a single
    number serves for each). ``remembered``: endpoints (``10.244.1.7:8080``) or lists that session affinity has the
    client in; without it only what the texts say is remembered.
    ``via``: the node that a packet from outside comes to first, where its destination is not a node's own address.

    Raises `CannotTrace` (the question does not fit the picture) and `CannotRead` (a text is not what it should be).
    """
    flow = read_flow(connection) if isinstance(connection, str) else connection
    protocol = protocol.lower()
    sender, address = _sender(picture, source)
    target, port = _target(picture, destination, port)
    if protocol in WITH_PORTS and not 0 < port <= 65535:
        raise CannotTrace(f"A {protocol} packet needs a port between 1 and 65535: give `port`.")
    if flow is not None:
        source_port = source_port or flow.source_port
    address = _source_address(sender, address, target)
    sent = Header(protocol, address, source_port, target, port)
    start = _journey(picture, sender, sent)
    start.draws = draw
    first = _first_place(picture, sender, target, via)
    start.place = first
    start.flows = ((first.name, flow),) if flow is not None else ()
    start.remembered = frozenset(_lists(picture, remembered, address))
    _set_out(picture, start, sender, first)
    ended = run(start)
    outcomes = tuple(_outcome(picture, each, sender) for each in ended)
    return Trace(_name(sender), sent, outcomes, _notes(picture, ended, outcomes))


def _notes(picture: Picture, ended: Sequence[Journey], outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """What to know of the texts of the places that the packet passed."""
    passed = {hop.place for outcome in outcomes for hop in outcome.hops}
    notes = []
    for place in (each for each in picture.places.values() if each.name in passed):
        notes += [f"{place.name}: {note}." for note in place.ipvs.notes]
        notes += [f"{place.name}: {note}" for note in place.firewall.notes]
        if any(not place.is_local(server.address) for server in place.ipvs.servers.values()):
            notes.append(
                f"{place.name}: virtual addresses of IPVS are not among its own: give `ip addr` as `addresses`."
            )
        if ended[0].family == "ip6" and place.texts.get("iptables") and not place.texts.get("ip6tables"):
            notes.append(f"{place.name}: its iptables rules are for IPv4 and do not count; give `ip6tables` too.")
    notes += [
        f"Session affinity asks the list {name}, which is not in the texts: the client is taken as a new one."
        for name in sorted({name for journey in ended for name in journey.taken_as_new})
    ]
    notes += [
        f"The list {name} knows the client, but the texts do not tell since when: taken as within {seconds} s."
        for name, seconds in sorted({each for journey in ended for each in journey.taken_as_recent})
    ]
    return tuple(notes)


def _sender(picture: Picture, source: str) -> tuple[Pod | Place | None, str]:
    named = picture.named(source)
    if named is not None:
        return named, named.address if isinstance(named, Pod) else ""
    if not _is_address(source):
        if source == OUTSIDE:
            raise CannotTrace("The picture has no place `outside`: give the client's address instead.")
        raise CannotTrace(f"There is no pod or node {source!r} in the picture, and it is no address.")
    return picture.holder(source), source


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _target(picture: Picture, destination: str, port: int) -> tuple[str, int]:
    text = destination
    if not _is_address(text):
        host, _, last = text.rpartition(":")
        if host and last.isdigit():
            text, port = host.strip("[]"), int(last)
    if _is_address(text):
        return str(ipaddress.ip_address(text)), port
    named = picture.named(text)
    if named is None:
        raise CannotTrace(f"There is no pod or node {text!r} in the picture, and it is no address.")
    if isinstance(named, Pod):
        return named.address, port
    address = named.own_address("", "0.0.0.0")
    if not address:
        raise CannotTrace(f"The address of {named.name} is not in its texts: give `ip addr` as `addresses`.")
    return address, port


def _source_address(sender: Pod | Place | None, address: str, target: str) -> str:
    """The address that the kernel chooses for a process on a node (ip-route(8), ``src``)."""
    if address or not isinstance(sender, Place):
        return address
    if sender.is_local(target):
        return "127.0.0.1" if target.startswith("127.") else target
    route = sender.route(target)
    chosen = (route.source or sender.own_address(route.interface, target)) if route else sender.own_address("", target)
    if not chosen:
        raise CannotTrace(
            f"The addresses of {sender.name} are not in its texts: give `ip addr` as `addresses`, or name the source "
            "by its address."
        )
    return chosen


def _first_place(picture: Picture, sender: Pod | Place | None, target: str, via: str) -> Place:
    if isinstance(sender, Pod):
        return picture.node(sender.node)
    if isinstance(sender, Place) and not (via and sender.name == OUTSIDE):
        return sender
    if via:
        named = picture.named(via)
        if not isinstance(named, Place):
            raise CannotTrace(f"There is no node {via!r} in the picture.")
        return named
    holder = picture.holder(target)
    if isinstance(holder, Place):
        return holder
    raise CannotTrace(f"By which node does a packet from outside to {target} come in? Say it with `via`.")


def _set_out(picture: Picture, journey: Journey, sender: Pod | Place | None, first: Place) -> None:
    if isinstance(sender, Pod):
        journey.then(send_from_pod, sender)
    elif sender is first:
        journey.then(send_from_place)
    else:
        journey.place = Place(sender.name if sender is not None else _SENDER)
        journey.note_here("send", "send")
        route = first.route(journey.src)
        journey.then(arrive, first, route.interface if route is not None else "")


def _journey(picture: Picture, sender: Pod | Place | None, sent: Header) -> Journey:
    ends = (sent.source, sent.source_port, sent.destination, sent.destination_port)
    return Journey(picture, Place(_name(sender)), sent.protocol, *ends, sent=sent)


def _name(sender: Pod | Place | None) -> str:
    return sender.name if sender is not None else _SENDER


def _lists(picture: Picture, remembered: str | Iterable[str], client: str) -> list[tuple[str, str, str]]:
    """Lists that hold the client: an endpoint stands for the lists of the chains that translate to it."""
    found = []
    for name in (remembered,) if isinstance(remembered, str) else remembered:
        names = {name}
        address, colon, port = name.rpartition(":")
        if colon and port.isdigit():
            for place in picture.places.values():
                names |= _chains_to(place, f"{address}:{port}", f"__{address}/{port}")
        found += [("", each, client) for each in names]
    return found


def _chains_to(place: Place, endpoint: str, ending: str) -> set[str]:
    found = set()
    for chains in {id(base.chains): base.chains for base in place.firewall.bases}.values():
        for name, chain in chains.items():
            if name.endswith(ending):
                found.add(name.replace("endpoint-", "affinity-", 1))
            elif any(rule.text.endswith(f"--to-destination {endpoint}") for rule in chain.rules):
                found.add(name)
    return found


def _outcome(picture: Picture, journey: Journey, sender: Pod | Place | None) -> Outcome:
    end = journey.end
    if end is None:
        raise RuntimeError("a journey came back without an end")
    return Outcome(
        kind=end.kind,
        place=end.place,
        reason=end.reason,
        probability=journey.probability,
        assumptions=journey.assumptions,
        hops=journey.all_hops(),
        sent=journey.sent,
        received=journey.header,
        masqueraded=journey.masqueraded,
        flows=journey.flows,
        _reply=_answering(picture, journey, sender),
    )


def _answering(picture: Picture, journey: Journey, sender: Pod | Place | None) -> Callable[[], Trace]:
    def reply() -> Trace:
        end = journey.end
        server = picture.pods.get(end.place) or picture.places.get(end.place) if end is not None else None
        if end is None or end.kind not in ("delivered", "left alone") or server is None or journey.replying:
            raise CannotTrace(f"Nobody in the picture answers: the packet was {end.kind if end else 'lost'}.")
        sent = Header(journey.proto, journey.dst, journey.dport, journey.src, journey.sport)
        back = _journey(picture, server, sent)
        back.sent, back.replying = journey.sent, True
        back.flows = tuple((place, replace(flow, unanswered=False)) for place, flow in journey.flows)
        back.place = picture.node(server.node) if isinstance(server, Pod) else server
        back.then(*((send_from_pod, server) if isinstance(server, Pod) else (send_from_place,)))
        ended = run(back)
        return Trace(server.name, sent, tuple(_outcome(picture, each, server) for each in ended))

    return reply
