"""Ends of a packet's way, in sentences."""

from __future__ import annotations

from kubelab.trace.hops import Hop

_HEARS = {
    "icmp-port-unreachable": "a TCP client reads that as “connection refused”",
    "tcp reset": "the client reads that as “connection refused”",
    "tcp-reset": "the client reads that as “connection refused”",
}


def _rule(hop: Hop) -> str:
    comment = f" (“{hop.comment}”)" if hop.comment else ""
    return f"rule {hop.number} of {hop.table} {hop.chain} on {hop.place}{comment}"


def dropped_by_rule(hop: Hop) -> str:
    """A rule with DROP."""
    return f"Dropped by {_rule(hop)}: the client hears nothing and waits until it gives up."


def dropped_by_policy(place: str, table: str, chain: str) -> str:
    """A base chain whose policy is DROP."""
    return (
        f"Dropped by the policy of {table} {chain} on {place}, as no rule there accepted it: the client hears nothing "
        "and waits until it gives up."
    )


def rejected(hop: Hop, kind: str) -> str:
    """A rule with REJECT."""
    hears = _HEARS.get(kind, "the client hears at once that it is refused")
    return f"Refused by {_rule(hop)} with {kind}: {hears}."


def nobody_to_balance(place: str, server: str) -> str:
    """A virtual server without real servers."""
    return (
        f"Refused by IPVS on {place}, whose virtual server has no real server ({server}), with icmp-port-unreachable: "
        f"{_HEARS['icmp-port-unreachable']}."
    )


def unjudged(hop: Hop, why: str) -> str:
    """A rule that decides, but it is not known how."""
    return f"What happens is not known: {_rule(hop)} decides, and {why}."


def too_deep(place: str, chain: str, deepest: int) -> str:
    """More jumps within jumps than the kernel follows."""
    return f"Dropped on {place}: jumps are nested deeper than {deepest} chains at {chain}."


def too_doubtful(place: str, most: int, first: str) -> str:
    """More doubts than are followed."""
    return (
        f"It is followed to {place} and no further: more than {most} rules on its way cannot be judged, the first of "
        f"them on {first}."
    )


def no_route(place: str, address: str, refusing: str) -> str:
    """No route, or one that refuses."""
    if refusing:
        return f"{place} does not send to {address}: its route “{refusing}” refuses it."
    return f"{place} has no route to {address}: the packet goes no further."


def nobody(place: str, address: str, interface: str) -> str:
    """On the link, but nobody has the address."""
    return (
        f"{place} asks on {interface} who has {address}, and nobody in this picture answers: after some seconds the "
        "client hears “no route to host”, or waits until it gives up."
    )


def left(place: str, address: str, gateway: str, interface: str, neighbour: str) -> str:
    """Out of the cluster, to where the texts do not reach."""
    by = f"{gateway} ({neighbour})" if neighbour else gateway
    return (
        f"No rule sends {address} anywhere else: {place} passes it to {by} by {interface}, as it does with any address "
        "that is not the cluster's. If nobody there has the address, the client waits until it gives up."
    )


def left_translated(place: str, address: str, gateway: str, interface: str) -> str:
    """Out of the cluster after a translation."""
    return f"{place} passes it on to {gateway} by {interface}, out of what the texts show; {address} is out there."


def to_pod(pod: str, node: str, at: str, client: str) -> str:
    """Delivered to a pod."""
    return f"Pod {pod} on {node} receives it at {at}, and sees {client} as its client."


def behind(interface: str, node: str, at: str, client: str) -> str:
    """Delivered to a pod that was not named."""
    return f"Whoever stands behind {interface} on {node} receives it at {at}, and sees {client} as its client."


def to_node(node: str, at: str, client: str) -> str:
    """Delivered to a process of the node, after a translation."""
    return f"A process of {node} itself receives it at {at}, and sees {client} as its client."


def left_to_node(node: str, at: str) -> str:
    """Delivered to the node, and no rule had to do with it."""
    return (
        f"No rule sends it anywhere else: it is for {node} itself. A process of the node that listens at {at} answers, "
        "or, if there is none, the node's kernel refuses."
    )


def circle(places: int) -> str:
    """Between places for ever."""
    return f"It went from place to place {places} times and does not arrive: routes or rules lead in a circle."


def answered(client: str, source: str) -> str:
    """An answer that its client understands."""
    return f"{client} receives the answer from {source}, which is where it had sent to."


def misunderstood(client: str, source: str, expected: str) -> str:
    """An answer from an address that the client does not know."""
    return (
        f"{client} receives an answer from {source}, but had sent to {expected}: it knows no such connection and "
        "rejects it."
    )
