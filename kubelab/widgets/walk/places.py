"""Where each step is on the map: network namespaces as panels, hooks as columns, chains as boxes in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kubelab.widgets.walk.steps import Step
from kubelab.widgets.walk.words import endpoint

WIDTH = 880
PAD = 10
GAP = 26
"""Between panels, where the arrow runs."""
HEAD = 40
"""A panel's title and its columns' titles."""
NARROW = 92
BOX, TALL, SPACE, INDENT = 22, 34, 5, 9
LETTER = 6.3
"""Width of a letter of the boxes' font (10.5 px, monospace)."""
_OF_A_SERVICE = ("KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-", "KUBE-FW-", "service-", "local-", "external-", "firewall-")


@dataclass
class Box:
    """A chain, an interface, a routing decision, a process."""

    kind: str
    """``chain``, ``ghost`` (a chain that was asked and had nothing to say), ``point``."""
    label: str
    below: str = ""
    depth: int = 0
    steps: list[int] = field(default_factory=list)
    """The numbers of the steps that are made here, from 0."""
    chain: tuple[str, str] = ("", "")
    """Table and chain."""
    x: float = 0
    y: float = 0
    width: float = 0

    @property
    def height(self) -> int:
        """One line or two."""
        return TALL if self.below else BOX


@dataclass
class Column:
    """A hook's boxes, or one point between hooks."""

    title: str
    boxes: list[Box]
    x: float = 0
    width: float = 0

    @property
    def wanted(self) -> float:
        """How wide it would like to be."""
        return max(len(box.label) * LETTER + box.depth * INDENT + 62 for box in self.boxes) if self.title else NARROW


@dataclass
class Panel:
    """One network namespace on the way."""

    kind: str
    """``pod``, ``node`` or ``outside``."""
    name: str
    columns: list[Column]
    x: float = PAD
    y: float = 0
    width: float = 0
    height: float = 0


@dataclass
class Map:
    """Everything that is drawn of one way."""

    panels: list[Panel]
    height: float

    @property
    def boxes(self) -> list[Box]:
        """All boxes, in the order of the way."""
        return [box for panel in self.panels for column in panel.columns for box in column.boxes]

    def box_of(self, step: int) -> int:
        """The number of the box where a step is made."""
        return next(at for at, box in enumerate(self.boxes) if step in box.steps)


def lay_out(steps: Sequence[Step]) -> Map:
    """Panels below each other in the order of the way."""
    panels, y = [], float(PAD)
    for numbers in _visits(steps):
        panel = _panel(steps, numbers)
        panel.y = y
        _place(panel)
        panels.append(panel)
        y += panel.height + GAP
    return Map(panels, y - GAP + PAD)


def _visits(steps: Sequence[Step]) -> Iterator[list[int]]:
    """The numbers of the steps of each stay in one namespace; coming back in by `lo` is a new stay."""
    stay: list[int] = []
    for at, step in enumerate(steps):
        if stay and (step.hop.place != steps[stay[-1]].hop.place or step.hop.kind == "arrive"):
            yield stay
            stay = []
        stay.append(at)
    if stay:
        yield stay


def _panel(steps: Sequence[Step], numbers: list[int]) -> Panel:
    first = steps[numbers[0]].hop
    node = any(steps[at].hop.hook or steps[at].hop.kind in ("arrive", "route") for at in numbers)
    kind = "node" if node else "outside" if "outside" in first.place.split() else "pod"
    columns: list[Column] = []
    hook = None
    for at in numbers:
        step = steps[at]
        if step.hop.hook and step.hop.hook == hook:
            _enter(columns[-1], step, at)
            continue
        hook = step.hop.hook or None
        columns.append(Column(hook or "", []))
        if hook:
            _enter(columns[-1], step, at)
        else:
            columns[-1].boxes.append(_point(step, at))
    return Panel(kind, first.place, columns)


def _point(step: Step, at: int) -> Box:
    label = {"send": "sends", "deliver": "receives", "arrive": "in", "route": "routing"}.get(
        step.hop.kind, step.hop.did
    )
    return Box("point", label, _interface(step), steps=[at])


def _interface(step: Step) -> str:
    """What is said below a point: the interface, or whom a route leads to."""
    hop = step.hop
    name = hop.out_interface if hop.kind in ("send", "route") else hop.in_interface
    if hop.kind == "route" and hop.did.startswith("for "):
        name = "itself"
    return name.removeprefix("link-(").removesuffix(")") if name.startswith("link-(") else name


def _enter(column: Column, step: Step, at: int) -> None:
    """Put a step where its chain already is, or open the chain; a chain that it jumps to is opened too."""
    hop = step.hop
    if hop.kind == "conntrack":
        verb = hop.did.partition(" ")[0]
        below = re.sub("[ds]nat", lambda found: found[0].upper(), verb) if step.change else "known connection"
        column.boxes.append(Box("point", "conntrack", below, steps=[at]))
        return
    known = next((box for box in column.boxes if box.chain == (hop.table, hop.chain)), None)
    if known is None:
        # nftables keeps everything in one table: only iptables' tables are worth a word.
        label = hop.chain if " " in hop.table else f"{hop.table} {hop.chain}"
        known = Box("chain", label, chain=(hop.table, hop.chain))
        column.boxes.append(known)
    known.kind = "chain"
    known.steps.append(at)
    verb, _, chain = hop.did.rpartition(", ")[2].partition(" ")
    if verb in ("jump", "goto") and not any(box.chain == (hop.table, chain) for box in column.boxes):
        below = _whose(chain, step.of)
        column.boxes.append(Box("ghost", chain, below, known.depth + 1, chain=(hop.table, chain)))


def _whose(chain: str, of: str) -> str:
    """Whose chain it is: a Service's, an endpoint's; nothing for those that all share."""
    if chain.startswith(("KUBE-SEP-", "endpoint-")):
        return f"endpoint {endpoint(chain)}"
    return of if chain.startswith(_OF_A_SERVICE) else ""


def _place(panel: Panel) -> None:
    if panel.kind != "node":
        panel.width, panel.height = 300, 46
        panel.x = PAD
        only = panel.columns[0]
        only.x, only.width = panel.x + 150, 140
        _stack(only, panel.y + 6)
        return
    panel.width = WIDTH - 2 * PAD
    inner = panel.width - PAD * (len(panel.columns) + 1)
    narrow = NARROW * sum(not column.title for column in panel.columns)
    wanted = sum(column.wanted for column in panel.columns if column.title) or 1
    x = panel.x + PAD
    for column in panel.columns:
        column.x = x
        column.width = (inner - narrow) * column.wanted / wanted if column.title else NARROW
        x += column.width + PAD
        _stack(column, panel.y + HEAD)
    panel.height = max(_bottom(column) for column in panel.columns) - panel.y + PAD


def _stack(column: Column, y: float) -> None:
    for box in column.boxes:
        box.x, box.y = column.x + box.depth * INDENT, y
        box.width = column.width - box.depth * INDENT
        y += box.height + SPACE


def _bottom(column: Column) -> float:
    last = column.boxes[-1]
    return last.y + last.height
