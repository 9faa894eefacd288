"""One packet under way: what it carries, where it is, what it has passed, and what is still to come.

A journey forks where chance or a rule that cannot be judged makes two of it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubelab.rules import Memory
from kubelab.trace.conntrack import Flow
from kubelab.trace.errors import CannotTrace
from kubelab.trace.hops import Hop
from kubelab.trace.packet import Header

if TYPE_CHECKING:
    from kubelab.trace.places import Picture, Place
    from kubelab.trace.routes import Route

Steps = tuple[Callable[..., Any], tuple[Any, ...], Any] | None
"""What comes next, and after that: the step, its arguments, the rest."""


@dataclass(slots=True)
class End:
    """Where a journey ended, and why."""

    kind: str
    place: str
    reason: str


@dataclass(slots=True)
class Journey:
    """The packet while it walks (a `kubelab.rules.judge.Passing`)."""

    picture: Picture
    place: Place
    proto: str
    src: str
    sport: int
    dst: str
    dport: int
    sent: Header
    """As the client sent it."""
    mark: int = 0
    in_interface: str = ""
    out_interface: str = ""
    states: set[str] = field(default_factory=lambda: {"NEW"})
    original: tuple[str, str, int] = ("", "", 0)
    flow: Flow | None = None
    """The connection on this node that the packet belongs to, when it is known."""
    answering: bool = False
    """The packet goes in the other direction than the connection's first."""
    translated: tuple[bool, bool] = (False, False)
    """Whether it is settled on this node how the destination is translated, and the source."""
    entered: Header | None = None
    """As it came to this node, before any translation there."""
    replying: bool = False
    """The walk is of an answer."""
    masqueraded: bool = False
    flows: tuple[tuple[str, Flow], ...] = ()
    """Place and connection, for every node that the packet passed."""
    remembered: frozenset[tuple[str, str, str]] = frozenset()
    """Place, list and address: what rules have noted."""
    route: Route | None = None
    """The way out of the place that was chosen."""
    connection_mark: int = 0
    """What the place has noted at the packet's connection (CONNMARK, ``ct mark``)."""
    steps: Steps = None
    hops: Any = None
    """The last hop and those before it."""
    share: float = 1.0
    probability: float = 1.0
    assumptions: tuple[str, ...] = ()
    draws: float | Sequence[float] | None = None
    """What chance gives: always the same, one after another, or (None) every possibility."""
    drawn: int = 0
    taken_as_new: tuple[str, ...] = ()
    """Lists of remembered clients that were asked for, and are not in the texts."""
    taken_as_recent: tuple[tuple[str, str], ...] = ()
    """Lists that know the client, and within how many seconds they had to have seen it."""
    balanced: bool = False
    """IPVS has picked a real server for it on this place."""
    visits: int = 0
    hook: str = ""
    end: End | None = None
    memory: Memory = field(default_factory=Memory)

    def fork(self) -> Journey:
        """Another one like it. What is shared is never changed in place."""
        return copy.copy(self)

    def then(self, step: Callable[..., Any], *arguments: Any) -> None:
        """Do this before all that is still to come."""
        self.steps = (step, arguments, self.steps)

    def finish(self, kind: str, reason: str) -> None:
        """The packet goes no further."""
        self.end = End(kind, self.place.name, reason)

    @property
    def header(self) -> Header:
        """What the packet carries now."""
        return Header(self.proto, self.src, self.sport, self.dst, self.dport, self.mark)

    @property
    def family(self) -> str:
        """``ip`` or ``ip6``."""
        return "ip6" if ":" in self.dst else "ip"

    def is_local(self, address: str) -> bool:
        """Whether the address is one of the place's own."""
        return self.place.is_local(address)

    def draw(self) -> float:
        """The next given draw. Raises `CannotTrace` when there is none."""
        if isinstance(self.draws, int | float):
            return self.draws
        if self.draws is None or self.drawn >= len(self.draws):
            raise CannotTrace(
                f"The rules draw more often than the {self.drawn} times that were given: give more, or none for all "
                "outcomes."
            )
        self.drawn += 1
        return self.draws[self.drawn - 1]

    def note(self, hop: Hop) -> None:
        """Add a hop, which has the journey's share since the last one."""
        self.hops = (hop, self.hops)
        self.share = 1.0

    def note_here(self, kind: str, did: str, before: Header | None = None, hook: str = "", rule: str = "") -> None:
        """Add a hop that is no rule: a place, a route, a connection."""
        now = self.header
        self.note(Hop(kind, self.place.name, self.in_interface, self.out_interface, hook, rule=rule, did=did,
                      before=before or now, after=now, share=self.share))  # fmt: skip

    def all_hops(self) -> tuple[Hop, ...]:
        """The hops in order."""
        found: list[Hop] = []
        at = self.hops
        while at is not None:
            hop, at = at
            found.append(hop)
        return tuple(reversed(found))

    def knows(self, name: str, address: str, within: str = "") -> bool:
        """Whether the list ``name`` on this node holds the address, seen ``within`` so many seconds."""
        if (self.place.name, name, address) in self.remembered or ("", name, address) in self.remembered:
            return True
        known = self.place.recent.get(name)
        if known is None:
            if name not in self.taken_as_new:
                self.taken_as_new = (*self.taken_as_new, name)
            return False
        if within and address in known:  # when it was seen is told in ticks of an unknown clock
            self.taken_as_recent = (*self.taken_as_recent, (name, within))
        return address in known

    def remember(self, name: str, address: str) -> str:
        """Note the address in the list ``name``."""
        self.remembered = self.remembered | {(self.place.name, name, address)}
        return f"remember {address} in {name}"
