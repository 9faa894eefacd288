"""What rules do to a packet: set its mark, translate its addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kubelab.trace.packet import endpoint
from kubelab.trace.program import Action

if TYPE_CHECKING:
    from kubelab.trace.journey import Journey


def mark(change: Callable[[int], int]) -> Action:
    """Set the mark to a function of the old one."""

    def act(journey: Journey) -> str:
        journey.mark = change(journey.mark)
        return f"mark {journey.mark:#x}"

    return act


def connection_mark(change: Callable[[int, int], int]) -> Action:
    """Note a mark at the connection: a function of the one there and of the packet's."""

    def act(journey: Journey) -> str:
        journey.connection_mark = change(journey.connection_mark, journey.mark)
        return f"connection mark {journey.connection_mark:#x}"

    return act


def restored_mark(change: Callable[[int, int], int]) -> Action:
    """Set the packet's mark to a function of its own and of its connection's."""
    return lambda journey: mark(lambda old: change(old, journey.connection_mark))(journey)


def destination(address: str, port: int) -> Action:
    """Send the packet elsewhere: DNAT. An empty address and port -1 stay."""

    def act(journey: Journey) -> str:
        journey.dst = address or journey.dst
        journey.dport = journey.dport if port < 0 else port
        journey.states = journey.states | {"DNAT"}
        journey.translated = (True, journey.translated[1])
        return f"dnat {endpoint(journey.dst, journey.dport, journey.proto)}"

    return act


def redirect(port: int) -> Action:
    """Send the packet to the node itself, by the interface that it came in by."""

    def act(journey: Journey) -> str:
        loopback = "::1" if journey.family == "ip6" else "127.0.0.1"
        here = journey.place.own_address(journey.in_interface, journey.dst) if journey.in_interface else loopback
        return destination(here, port)(journey)

    return act


def source(address: str, port: int) -> Action:
    """Let the packet come from elsewhere: SNAT. An empty address and port -1 stay."""

    def act(journey: Journey) -> str:
        journey.src = address or journey.src
        journey.sport = journey.sport if port < 0 else port
        journey.states = journey.states | {"SNAT"}
        journey.translated = (journey.translated[0], True)
        return f"snat {endpoint(journey.src, journey.sport, journey.proto)}"

    return act


def masquerade(random_port: bool) -> Action:
    """Let the packet come from the address of the interface by which it leaves; the kernel picks the port."""

    def act(journey: Journey) -> str:
        journey.src = journey.place.own_address(journey.out_interface, journey.dst) or journey.src
        if random_port:
            journey.sport = 0
        journey.states = journey.states | {"SNAT"}
        journey.translated = (journey.translated[0], True)
        journey.masqueraded = True
        return f"masquerade {endpoint(journey.src, journey.sport, journey.proto)}"

    return act
