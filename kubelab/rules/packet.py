"""A connection's first packet, and what became of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Literal, NamedTuple

from kubelab.rules.model import Rule

RECENT_LIST_LENGTH = 100
"""How many addresses one list of the ``recent`` match remembers (xt_recent's ip_list_tot)."""


class Packet(NamedTuple):
    """Addresses are canonical text, ports 0 where the protocol has none."""

    proto: str
    """``tcp``, ``udp``, ``sctp`` or ``icmp``."""
    src: str
    sport: int
    dst: str
    dport: int
    in_interface: str = ""
    """Empty for a packet that a process on this node sends."""
    mark: int = 0
    ctstate: str = "NEW"
    length: int = 60
    """In bytes, for the counters: 60 is a TCP SYN."""


class Hop(NamedTuple):
    """One rule that matched, or the policy at the end of a built-in chain (``rule`` None, ``number`` 0)."""

    hook: str
    table: str
    chain: str
    number: int
    rule: Rule | None
    did: str
    """``jump KUBE-SERVICES``, ``dnat 10.244.1.7:80``, ``mark 0x4000``, ``masquerade``, ``return``, ``accept`` …"""
    packet: Packet
    """The packet after the rule."""


Kind = Literal["accept", "reject", "drop", "unknown"]


class Verdict(NamedTuple):
    """What the rules decided."""

    kind: Kind
    """``unknown``: a rule was reached that this model cannot judge; ``reason`` says which and why."""
    packet: Packet
    """After network address translation; a masqueraded source is for the caller to choose."""
    masquerade: bool
    """The source becomes the address of the interface by which the packet leaves the node."""
    local: bool
    """The packet ends on this node (an address of the node itself), by the destination it has now."""
    reason: str
    """``icmp-port-unreachable`` or ``tcp-reset`` for a rejection, the explanation when unknown, else empty."""
    hops: tuple[Hop, ...]

    @property
    def mark(self) -> int:
        """The packet's mark."""
        return self.packet.mark


class Decided(Exception):
    """The packet goes no further."""

    def __init__(self, kind: Kind, reason: str = "") -> None:
        super().__init__(kind)
        self.kind: Kind = kind
        self.reason = reason


@dataclass
class Memory:
    """What the kernel remembers between packets: the lists of ``recent``, the counts of ``statistic --mode nth``.

    ``now`` gives seconds.
    """

    now: Callable[[], float] = monotonic
    recent: dict[str, OrderedDict[str, float]] = field(default_factory=dict)
    """List name → address → when it was last seen, oldest first."""
    nth: dict[int, int] = field(default_factory=dict)
    """`id` of the rule's match → count."""

    def seen(self, name: str, address: str, seconds: float | None) -> bool:
        """Whether the address is in the list, and was seen within ``seconds``."""
        when = self.recent.get(name, OrderedDict()).get(address)
        return when is not None and (seconds is None or self.now() - when <= seconds)

    def remember(self, name: str, address: str) -> None:
        """Note that the address was seen now; the one unseen for longest goes when the list is full."""
        known = self.recent.setdefault(name, OrderedDict())
        known[address] = self.now()
        known.move_to_end(address)
        if len(known) > RECENT_LIST_LENGTH:
            known.popitem(last=False)

    def forget(self, name: str, address: str) -> bool:
        """Take the address off the list; whether it was on it."""
        return self.recent.get(name, OrderedDict()).pop(address, None) is not None

    def reap(self, name: str, seconds: float) -> None:
        """Take the address off that was unseen for longest, when that is longer than ``seconds``."""
        known = self.recent.get(name)
        if known and self.now() - next(iter(known.values())) > seconds:
            known.popitem(last=False)
