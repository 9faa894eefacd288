"""From place to place: who sends, by which interface, who is next, who receives."""

from __future__ import annotations

from kubelab.trace import reasons
from kubelab.trace.balancing import ANSWER_PRIORITIES, PRIORITIES, balance, translate_back
from kubelab.trace.chains import confirm, pass_hook
from kubelab.trace.journey import Journey
from kubelab.trace.packet import endpoint
from kubelab.trace.places import Place, Pod
from kubelab.trace.routes import Route, refuses

MOST_PLACES = 8
"""A packet that passes more places goes in a circle."""

POD_INTERFACE = "eth0"
"""The interface of a pod, by custom of all network plugins."""


def send_from_pod(journey: Journey, pod: Pod) -> None:
    """A process in a pod sends: by the pod's one interface to its node, or to itself."""
    node = journey.place
    journey.place = Place(pod.name)
    journey.out_interface = POD_INTERFACE
    if journey.dst == pod.address or journey.dst.startswith("127."):
        journey.out_interface = "lo"
        journey.note_here("send", "send to itself, without leaving the pod")
        journey.then(_receive_in_pod, pod)
        return
    journey.note_here("send", "send")
    journey.then(arrive, node, _interface_of(node, pod))


def _interface_of(node: Place, pod: Pod) -> str:
    """The node's end of a pod's link: the interface that its route to the pod names."""
    route = node.route(pod.address)
    return route.interface if route is not None and not route.gateway else ""


def send_from_place(journey: Journey) -> None:
    """A process on a node (or outside) sends."""
    there_is_a_way = _choose_interface(journey)
    journey.note_here("send", "send")
    if not there_is_a_way:
        return
    journey.then(_leave)
    journey.then(confirm)
    journey.then(pass_hook, "POSTROUTING")
    journey.then(_reroute)
    journey.then(pass_hook, "OUTPUT", False, _OF_IPVS["OUTPUT"])


def _reroute(journey: Journey) -> None:
    """Rules may have changed where the packet goes: it is routed once more."""
    before = journey.out_interface
    if _choose_interface(journey) and journey.out_interface != before:
        journey.note_here("route", f"by {journey.out_interface}")


def _choose_interface(journey: Journey) -> bool:
    """Whether there is a way; then it is in ``out_interface``."""
    if journey.is_local(journey.dst):
        journey.out_interface = "lo"
        return True
    route = journey.route = journey.place.route(
        journey.dst, source=journey.src, interface=journey.in_interface, mark=journey.mark
    )
    if route is None or refuses(route):
        refusing = str(route) if route is not None else ""
        journey.finish("unreachable", reasons.no_route(journey.place.name, journey.dst, refusing))
        return False
    journey.out_interface = route.interface
    return True


def arrive(journey: Journey, place: Place, interface: str) -> None:
    """The packet comes to a place by one of its interfaces. Marks stay where they were made."""
    journey.place, journey.in_interface, journey.out_interface, journey.mark = place, interface, "", 0
    journey.connection_mark, journey.balanced = 0, False
    journey.visits += 1
    if journey.visits > MOST_PLACES:
        journey.finish("unreachable", reasons.circle(MOST_PLACES))
        return
    journey.note_here("arrive", f"arrive by {interface}" if interface else "arrive")
    journey.then(_decide)
    journey.then(pass_hook, "PREROUTING")


def _decide(journey: Journey) -> None:
    """Is it for this place, or does it go on?"""
    if journey.is_local(journey.dst):
        journey.note_here("route", f"for {journey.place.name} itself")
        _take_in(journey)
        return
    if _choose_interface(journey):
        journey.note_here("route", f"on by {_way(journey)}")
        journey.then(_leave)
        journey.then(confirm)
        journey.then(pass_hook, "POSTROUTING")
        journey.then(pass_hook, "FORWARD", False, _OF_IPVS["FORWARD"])


def _way(journey: Journey) -> str:
    return f"{journey.out_interface} ({journey.route})"


def _take_in(journey: Journey) -> None:
    journey.then(_receive_here)
    journey.then(confirm)
    journey.then(pass_hook, "INPUT", False, _OF_IPVS["INPUT"])


def _send_balanced(journey: Journey) -> None:
    """IPVS sends a translated packet on, as one of the place's own: what was to come for it does not."""
    journey.steps, journey.in_interface = None, ""
    if _choose_interface(journey):
        journey.note_here("route", f"on by {_way(journey)}")
        journey.then(_leave)
        journey.then(confirm)
        journey.then(pass_hook, "POSTROUTING")
        journey.then(pass_hook, "OUTPUT", True)


def _balance(journey: Journey) -> list[Journey] | None:
    return balance(journey, _send_balanced)


_OF_IPVS = {
    hook: tuple(
        (priorities[hook], step)
        for priorities, step in ((PRIORITIES, _balance), (ANSWER_PRIORITIES, translate_back))
        if hook in priorities
    )
    for hook in ("INPUT", "OUTPUT", "FORWARD")
}


def _leave(journey: Journey) -> None:
    """The packet has passed the rules of this place: who is next?"""
    if journey.is_local(journey.dst):
        journey.in_interface, journey.out_interface = "lo", ""
        journey.note_here("arrive", "back by lo")
        _take_in(journey)
        journey.then(pass_hook, "PREROUTING", True)
        return
    route = journey.route
    if route is None:
        raise RuntimeError("a packet leaves a place that has no route for it")
    following = journey.picture.holder(route.gateway or journey.dst)
    if isinstance(following, Pod):
        journey.then(_receive_in_pod, following)
    elif following is None:
        _nobody(journey, route)
    elif following.name == "outside" and not following.is_local(journey.dst):
        _out(journey, route, following.name)
    else:
        at = route.gateway or journey.dst
        journey.then(arrive, following, next(each.interface for each in following.addresses if each.address == at))


def _nobody(journey: Journey, route: Route) -> None:
    if route.gateway:
        _out(journey, route, "")
    elif route.network in (f"{journey.dst}/32", f"{journey.dst}/128"):
        header = journey.header
        sentence = reasons.behind(route.interface, journey.place.name, header.destination_text, _client(journey))
        journey.finish("delivered", sentence)
    else:
        journey.finish("unreachable", reasons.nobody(journey.place.name, journey.dst, route.interface))


def _out(journey: Journey, route: Route, neighbour: str) -> None:
    address = journey.header.destination_text
    if _was_translated(journey):
        gateway = route.gateway or route.interface
        sentence = reasons.left_translated(journey.place.name, address, gateway, route.interface)
    else:
        gateway = route.gateway or "the link"
        sentence = reasons.left(journey.place.name, address, gateway, route.interface, neighbour)
    journey.finish("left alone", sentence)


def _was_translated(journey: Journey) -> bool:
    sent = journey.sent
    return (sent.destination, sent.destination_port) != (journey.dst, journey.dport)


def _client(journey: Journey) -> str:
    return endpoint(journey.src, journey.sport, journey.proto)


def _receive_in_pod(journey: Journey, pod: Pod) -> None:
    journey.place = Place(pod.name)
    inside = journey.out_interface == "lo"
    journey.in_interface, journey.out_interface, journey.mark = "lo" if inside else POD_INTERFACE, "", 0
    journey.note_here("deliver", "receive")
    if journey.replying:
        _answer(journey, f"Pod {pod.name}")
        return
    journey.finish("delivered", reasons.to_pod(pod.name, pod.node, journey.header.destination_text, _client(journey)))


def _receive_here(journey: Journey) -> None:
    journey.note_here("deliver", "receive")
    name = journey.place.name
    if journey.replying:
        _answer(journey, name)
    elif _was_translated(journey):
        journey.finish("delivered", reasons.to_node(name, journey.header.destination_text, _client(journey)))
    else:
        journey.finish("left alone", reasons.left_to_node(name, journey.header.destination_text))


def _answer(journey: Journey, client: str) -> None:
    """An answer is understood when it comes from where the client sent to."""
    sent, source = journey.sent, journey.header.source_text
    if (journey.src, journey.sport) == (sent.destination, sent.destination_port):
        journey.finish("delivered", reasons.answered(client, source))
    else:
        journey.finish("rejected", reasons.misunderstood(client, source, sent.destination_text))
