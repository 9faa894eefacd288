"""One real packet, rule by rule, as the kernel saw it; and where a computed trace differs from that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

from kubelab.trace import rendering
from kubelab.trace.conntrack import Flow
from kubelab.trace.errors import CannotTrace
from kubelab.trace.hops import Hop
from kubelab.trace.naming import Names
from kubelab.trace.outcome import Outcome, Trace
from kubelab.trace.packet import Header, endpoint


@dataclass(frozen=True, eq=False)
class Followed:
    """What became of one real connection's first packet."""

    source: str
    """Who sent it: a pod, a node, ``outside``."""
    sent: Header
    """As it left the client."""
    end: str
    """What the client met: ``connected``, ``answered`` (a datagram), ``refused``, ``silent``, or an error in words."""
    hops: tuple[Hop, ...]
    """Every rule and policy that the kernel asked about the packet, in order, across the nodes."""
    answer: tuple[Hop, ...] = ()
    """The same for the first packet of the answer (TCP)."""
    server: str = ""
    """Who answered, when that is known."""
    peer: str = ""
    """The client's address as the server saw it."""
    peer_port: int = 0
    before: tuple[tuple[str, Flow], ...] = ()
    """Node and connection: what the nodes knew of it before."""
    after: tuple[tuple[str, Flow], ...] = ()
    """Node and connection: what they had entered when the answer had come."""
    computed: Trace | None = None
    """The trace that was computed from the texts of the same moment."""
    notes: tuple[str, ...] = ()
    names: Names | None = None

    @property
    def rules(self) -> tuple[Hop, ...]:
        """The hops that are rules or policies."""
        return tuple(hop for hop in self.hops if hop.kind in ("rule", "policy"))

    @property
    def reason(self) -> str:
        """How it ended, in a sentence."""
        who = self.server or "somebody"
        seen = f", and saw {endpoint(self.peer, self.peer_port)} as its client" if self.peer else ""
        last = self.rules[-1] if self.rules else None
        where = f"; the last word on it was “{last.did}” at {last.where} on {last.place}" if last else ""
        if self.end in ("connected", "answered"):
            return f"The client was answered by {who}{seen}."
        if self.end == "refused":
            return f"The client was refused{where}."
        if self.end == "silent":
            unheard = "; an answer was sent, which it does not know as one" if self.answer else where
            return f"The client heard nothing{unheard}."
        return f"The client was told: {self.end}{where}."

    def closest(self, trace: Trace | None = None) -> Outcome | None:
        """The computed outcome that comes nearest to what happened."""
        outcomes = (trace or self.computed or Trace(self.source, self.sent, ())).outcomes
        return min(outcomes, key=lambda outcome: len(differences(self, outcome)), default=None)

    def differences(self, computed: Trace | Outcome | None = None) -> tuple[str, ...]:
        """Where what was computed differs from what the kernel did, in sentences; none when they agree.

        Of a trace (by default the one made with it) the outcome that comes nearest is held against it.
        """
        outcome = computed if isinstance(computed, Outcome) else self.closest(computed)
        return differences(self, outcome) if outcome is not None else ("Nothing was computed.",)

    def agrees_with(self, computed: Trace | Outcome | None = None) -> bool:
        """Whether the kernel did what was computed, rule by rule."""
        return not self.differences(computed)

    @property
    def verdict(self) -> str:
        """Whether the computed trace agrees, in words; empty when nothing was computed."""
        if self.computed is None:
            return ""
        return " ".join(self.differences()) or "The trace that was computed from the texts agrees, rule by rule."

    @property
    def named(self) -> Followed:
        """With names in place of addresses, and without what chance decides: the same on every run."""
        names = self.names
        if names is None:
            return self
        known = _known_ports(self)
        return replace(
            self,
            sent=names.header(self.sent)._replace(source_port=0),
            hops=tuple(_starred_hop(names.hop(hop), known) for hop in self.hops),
            answer=tuple(_starred_hop(names.hop(hop), known) for hop in self.answer),
            peer=names.plain(self.peer),
            peer_port=0,
            before=tuple((place, _starred_flow(names.flow(flow), known)) for place, flow in self.before),
            after=tuple((place, _starred_flow(names.flow(flow), known)) for place, flow in self.after),
            computed=None,
            notes=tuple(map(names.rule, self.notes)),
            names=None,
        )

    def text(self) -> str:
        """Every hop with its rule as written, with all addresses."""
        return rendering.followed_text(self, self.verdict)

    def html(self) -> str:
        """A table with all addresses."""
        return rendering.followed_html(self, self.verdict)

    def __repr__(self) -> str:
        return rendering.followed_table(self.named, self._named_verdict)

    def _repr_html_(self) -> str:
        return rendering.followed_html(self.named, self._named_verdict)

    @property
    def _named_verdict(self) -> str:
        return self.names.plain(self.verdict) if self.names is not None else self.verdict

    def to_dict(self) -> dict[str, Any]:
        """Plain values: strings, numbers, lists, dicts."""
        return {
            "source": self.source,
            "sent": self.sent._asdict(),
            "end": self.end,
            "reason": self.reason,
            "server": self.server,
            "peer": self.peer,
            "peer_port": self.peer_port,
            "hops": [hop.to_dict() for hop in self.hops],
            "answer": [hop.to_dict() for hop in self.answer],
            "before": [{"place": place, "flow": str(flow)} for place, flow in self.before],
            "after": [{"place": place, "flow": str(flow)} for place, flow in self.after],
            "differences": list(self.differences()) if self.computed is not None else [],
            "notes": list(self.notes),
        }


def _known_ports(followed: Followed) -> frozenset[int]:
    """Ports that somebody chose: a Service's, a server's. Others are the kernel's pick."""
    sent = followed.sent.destination_port
    return frozenset({sent, 0, *(flow.reply_source_port for _, flow in followed.after)})


def _starred_hop(hop: Hop, known: frozenset[int]) -> Hop:
    """Ports that the kernel picked are stars, as in a computed trace."""

    def starred(header: Header) -> Header:
        ports = (port if port in known else 0 for port in (header.source_port, header.destination_port))
        return header._replace(source_port=next(ports), destination_port=next(ports))

    did = hop.did
    for port in {hop.after.source_port, hop.after.destination_port} - known:
        did = did.replace(f":{port}", ":*")
    return replace(hop, before=starred(hop.before), after=starred(hop.after), did=did)


def _starred_flow(flow: Flow, known: frozenset[int]) -> Flow:
    """A connection without what changes by the second."""

    def port(number: int) -> int:
        return number if number in known else 0

    return replace(
        flow,
        source_port=port(flow.source_port),
        destination_port=port(flow.destination_port),
        reply_source_port=port(flow.reply_source_port),
        reply_destination_port=port(flow.reply_destination_port),
        state="",
    )


def differences(followed: Followed, outcome: Outcome) -> tuple[str, ...]:
    """Where an outcome differs from what happened, in sentences."""
    seen, computed = followed.rules, outcome.rules
    found = [*_compared(seen, computed), *_answer_compared(followed, outcome)]
    if not _fits(followed, outcome):
        found.append(f"Computed was that it is {outcome.kind}; the client was {followed.end}.")
    if followed.server and outcome.kind == "delivered" and followed.server != outcome.place:
        found.append(f"Computed was {outcome.place} as its end; {followed.server} answered.")
    if followed.peer and outcome.kind == "delivered" and followed.peer != outcome.received.source:
        found.append(f"Computed was {outcome.received.source} as the client; the server saw {followed.peer}.")
    return tuple(found)


def _fits(followed: Followed, outcome: Outcome) -> bool:
    """Whether a client meets that when a packet ends so. Behind a port where nobody listens it is refused."""
    answered = followed.end in ("connected", "answered")
    if outcome.kind in ("left alone", "unknown"):
        return True
    if outcome.kind == "dropped":
        return followed.end == "silent"
    if outcome.kind != "delivered":
        return not answered
    if followed.sent.protocol == "udp" and followed.end == "silent":
        return True  # nobody has to answer a datagram
    understood = all(way.kind == "delivered" for way in outcome.reply())
    return followed.end in ("connected", "answered", "refused") if understood else not answered


def _answer_compared(followed: Followed, outcome: Outcome) -> Iterable[str]:
    """The answer's way, where one was seen."""
    if not followed.answer:
        return []
    try:
        back = outcome.reply().outcomes
    except CannotTrace:
        return ["Seen was an answer, computed none."]
    seen = [hop for hop in followed.answer if hop.kind in ("rule", "policy")]
    ways = [[f"On the way back: {each}" for each in _compared(seen, one.rules)] for one in back]
    return min(ways, key=len)


def _key(hop: Hop) -> tuple[str, str, str, str]:
    return hop.place, hop.hook, hop.where, hop.kind


def _compared(seen: Sequence[Hop], computed: Sequence[Hop]) -> Iterable[str]:
    ours, theirs = [_key(hop) for hop in computed], [_key(hop) for hop in seen]
    for change, a, b, c, d in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if change == "equal":
            for one, other in zip(computed[a:b], seen[c:d], strict=True):
                if difference := _changed(one.after, other.after):
                    yield f"After {one.where} on {one.place}: {difference}."
            continue
        if a < b:
            yield f"Computed, but not seen: {_listed(computed[a:b])}."
        if c < d:
            yield f"Seen, but not computed: {_listed(seen[c:d])}."


def _listed(hops: Sequence[Hop]) -> str:
    return ", ".join(f"{hop.where} on {hop.place} ({hop.did})" for hop in hops)


def _changed(computed: Header, seen: Header) -> str:
    """What differs of two headers; a port that is not known differs from none."""
    for name in ("protocol", "source", "destination", "mark"):
        if getattr(computed, name) != getattr(seen, name):
            return f"computed was {name} {getattr(computed, name)}, the packet had {getattr(seen, name)}"
    for name in ("source_port", "destination_port"):
        known = getattr(computed, name)
        if known and known != getattr(seen, name):
            return f"computed was {name.replace('_', ' ')} {known}, the packet had {getattr(seen, name)}"
    return ""
