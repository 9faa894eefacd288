"""What a trace found: outcomes with their hops, as values that read well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from kubelab.trace import rendering
from kubelab.trace.conntrack import Flow
from kubelab.trace.hops import Hop
from kubelab.trace.naming import Names
from kubelab.trace.packet import Header


@dataclass(frozen=True, eq=False)
class Outcome:
    """One way that the packet may take, from its sender to its end."""

    kind: str
    """``delivered``, ``rejected``, ``dropped``, ``unreachable``, ``left alone`` (no rule sent it anywhere else, and it
    ended with a node itself or out of the cluster) or ``unknown`` (a rule decided that could not be judged)."""
    place: str
    """Where it ended: a pod (``default/web-1``), a node, or ``outside``."""
    reason: str
    """How it ended and why, in a sentence."""
    probability: float
    """Among the outcomes with the same assumptions; theirs add up to 1."""
    assumptions: tuple[str, ...]
    """What has to be so of rules that could not be judged; empty when all could."""
    hops: tuple[Hop, ...]
    sent: Header
    """The packet as it was sent."""
    received: Header
    """The packet as it was at the end."""
    masqueraded: bool
    """A node has put its own address in the place of the client's."""
    flows: tuple[tuple[str, Flow], ...]
    """Node and connection, for every node that has entered the connection in its table."""
    _reply: Callable[[], Trace] = field(repr=False)
    names: Names | None = None
    """What to call addresses where the outcome is shown."""

    @property
    def named(self) -> Outcome:
        """The outcome with names in place of addresses (itself when there are none)."""
        names = self.names
        if names is None:
            return self
        return replace(
            self,
            reason=names.plain(self.reason),
            assumptions=tuple(map(names.rule, self.assumptions)),
            hops=tuple(map(names.hop, self.hops)),
            sent=names.header(self.sent),
            received=names.header(self.received),
            flows=tuple((place, names.flow(flow)) for place, flow in self.flows),
            names=None,
        )

    @property
    def endpoint(self) -> str:
        """The address and port that it ended at: ``10.244.1.7:8080``."""
        return self.received.destination_text

    @property
    def rules(self) -> tuple[Hop, ...]:
        """The hops that are rules or policies: what the kernel's own trace shows too."""
        return tuple(hop for hop in self.hops if hop.kind in ("rule", "policy"))

    def reply(self) -> Trace:
        """The way of the answer, back through the same connections; only for what was delivered."""
        return replace(self._reply(), names=self.names)

    def text(self) -> str:
        """Every hop with its rule as written and its comment, with all addresses."""
        return rendering.outcome_text(self)

    def html(self) -> str:
        """A table of the hops with all addresses."""
        return rendering.outcome_html(self)

    def __repr__(self) -> str:
        return rendering.outcome_table(self.named)

    def _repr_html_(self) -> str:
        return rendering.outcome_html(self.named)

    def to_dict(self) -> dict[str, Any]:
        """Plain values: strings, numbers, lists, dicts."""
        return {
            "kind": self.kind,
            "place": self.place,
            "reason": self.reason,
            "probability": self.probability,
            "assumptions": list(self.assumptions),
            "masqueraded": self.masqueraded,
            "sent": self.sent._asdict(),
            "received": self.received._asdict(),
            "flows": [{"place": place, "flow": str(flow)} for place, flow in self.flows],
            "hops": [hop.to_dict() for hop in self.hops],
        }


@dataclass(frozen=True, eq=False)
class Trace:
    """All outcomes of one packet, in the order of the rules that part them."""

    source: str
    """Who sent it: a pod, a node, ``outside``."""
    sent: Header
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...] = ()
    """What to know about the texts, or what was taken as given, in sentences."""
    names: Names | None = None
    """What to call addresses where the trace is shown."""

    def __post_init__(self) -> None:
        if self.names is not None:
            named = tuple(replace(outcome, names=self.names) for outcome in self.outcomes)
            object.__setattr__(self, "outcomes", named)

    @property
    def named(self) -> Trace:
        """The trace with names in place of addresses (itself when there are none)."""
        names = self.names
        if names is None:
            return self
        outcomes = tuple(outcome.named for outcome in self.outcomes)
        return Trace(self.source, names.header(self.sent), outcomes, tuple(map(names.rule, self.notes)))

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.outcomes)

    def __len__(self) -> int:
        return len(self.outcomes)

    def __getitem__(self, at: int) -> Outcome:
        return self.outcomes[at]

    @property
    def certain(self) -> bool:
        """Whether every rule on the way could be judged."""
        return not any(outcome.assumptions or outcome.kind == "unknown" for outcome in self.outcomes)

    def only(self) -> Outcome:
        """The one outcome. Raises ValueError when there are several."""
        if len(self.outcomes) != 1:
            raise ValueError(f"The packet has {len(self.outcomes)} outcomes: give a draw, or choose one by its index.")
        return self.outcomes[0]

    def text(self) -> str:
        """Every outcome with every hop, with all addresses."""
        return rendering.trace_text(self)

    def html(self) -> str:
        """Every outcome as a table that opens, with all addresses."""
        return rendering.trace_html(self)

    def __repr__(self) -> str:
        return rendering.trace_table(self.named)

    def _repr_html_(self) -> str:
        return rendering.trace_html(self.named)

    def to_dict(self) -> dict[str, Any]:
        """Plain values: strings, numbers, lists, dicts."""
        return {
            "source": self.source,
            "sent": self.sent._asdict(),
            "notes": list(self.notes),
            "outcomes": [outcome.to_dict() for outcome in self.outcomes],
        }
