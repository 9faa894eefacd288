"""The map of a way as SVG: the widget moves a packet on it, and without a browser it is a picture."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from kubelab.lab import palette
from kubelab.widgets.walk.places import PAD, WIDTH, Box, Column, Map, Panel
from kubelab.widgets.walk.steps import Step

_COLOURS = {"DNAT": palette.COLOURS[5], "SNAT": palette.COLOURS[3], "mark": palette.COLOURS[1],
            "back": palette.COLOURS[2], "drop": palette.BAD, "reject": palette.BAD}  # fmt: skip
_SHAPES = {"drop": "✖", "reject": "✖", "DNAT": "▲", "SNAT": "◆", "back": "▼", "mark": "■"}
"""By weight: of several changes in one chain the first of these is shown."""
_CHANCE = ("◐", palette.COLOURS[0])

STYLE = """
.kl-map text { font: 11px var(--jp-ui-font-family, sans-serif); fill: var(--jp-ui-font-color1, #222); }
.kl-map .kl-code { font: 10.5px var(--jp-code-font-family, monospace); }
.kl-map .kl-quiet { fill: var(--jp-ui-font-color2, #555); }
.kl-map .kl-name { font-weight: 600; font-size: 12px; }
.kl-map .kl-ground { fill: var(--jp-layout-color1, #fff); }
.kl-map .kl-panel { fill: var(--jp-layout-color2, #f3f3f3); stroke: var(--jp-border-color1, #bbb); }
.kl-map .kl-box rect { fill: var(--jp-layout-color1, #fff); stroke: var(--jp-ui-font-color2, #666); }
.kl-map .kl-ghost rect { stroke-dasharray: 3 3; stroke: var(--jp-border-color1, #aaa); }
.kl-map .kl-ghost text { fill: var(--jp-ui-font-color2, #666); }
.kl-map .kl-way { fill: none; stroke: var(--jp-ui-font-color2, #666); stroke-width: 1.5; }
.kl-map .kl-tip { fill: var(--jp-ui-font-color2, #666); }
"""


def draw(laid: Map, steps: Sequence[Step], title: str, description: str) -> str:
    """The whole picture."""
    numbered = {id(box): at for at, box in enumerate(laid.boxes)}
    parts = [_panel(panel, steps, numbered) for panel in laid.panels]
    parts += [_arrow(above, below) for above, below in zip(laid.panels, laid.panels[1:], strict=False)]
    size = f'viewBox="0 0 {WIDTH} {laid.height:.0f}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="kl-map" {size} width="100%" style="max-width: {WIDTH}px" '
        f'role="img"><title>{escape(title)}</title><desc>{escape(description)}</desc><style>{STYLE}</style>'
        f'<rect class="kl-ground" width="{WIDTH}" height="{laid.height:.0f}"/>{"".join(parts)}</svg>'
    )


def _panel(panel: Panel, steps: Sequence[Step], numbered: dict[int, int]) -> str:
    place = f'x="{panel.x:.0f}" y="{panel.y:.0f}" width="{panel.width:.0f}" height="{panel.height:.0f}"'
    parts = [f'<rect class="kl-panel" rx="6" {place}/>']
    if panel.kind == "node":
        parts.append(_text(panel.x + PAD, panel.y + 15, panel.name, "kl-name"))
        what = "outside the cluster" if panel.name == "outside" else "node"
        said = f"{what}: a network namespace with rules of its own"
        parts.append(_text(panel.x + 2 * PAD + 7.2 * len(panel.name), panel.y + 15, said, "kl-quiet"))
    else:
        parts.append(_text(panel.x + PAD, panel.y + 20, _cut(panel.name, 130, 7.2), "kl-name"))
        below = "pod" if panel.kind == "pod" else "outside the cluster"
        parts.append(_text(panel.x + PAD, panel.y + 36, below, "kl-quiet"))
    for at, column in enumerate(panel.columns):
        parts.append(_column(column, panel, steps, numbered))
        if at:
            parts.append(_step_over(column, panel))
    return f"<g>{''.join(parts)}</g>"


def _column(column: Column, panel: Panel, steps: Sequence[Step], numbered: dict[int, int]) -> str:
    title = _text(column.x, panel.y + 34, column.title, "kl-quiet") if column.title else ""
    return title + "".join(_box(box, steps, numbered[id(box)]) for box in column.boxes)


def _box(box: Box, steps: Sequence[Step], number: int) -> str:
    place = f'x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height}"'
    badge, colour = _badge([steps[at] for at in box.steps])
    room = box.width - 14 - (len(badge) * 7 + 8 if badge else 0)
    font = "" if box.kind == "point" else "kl-code"
    parts = [
        f"<title>{escape(_told(box, steps))}</title>",
        f'<rect rx="{3 if box.kind != "point" else 10}" {place}/>',
        _text(box.x + 8, box.y + 15, _cut(box.label, room), font),
    ]
    if box.below:
        parts.append(_text(box.x + 8, box.y + 28, _cut(box.below, box.width - 14, 5.6), "kl-quiet"))
    if badge:
        at = f'x="{box.x + box.width - 6:.1f}" y="{box.y + 15:.1f}"'
        shape = f'<tspan style="fill: {colour}">{badge[0]}</tspan>'
        parts.append(f'<text {at} text-anchor="end" font-weight="600">{shape}{escape(badge[1:])}</text>')
    return f'<g class="kl-box kl-{box.kind}" data-box="{number}">{"".join(parts)}</g>'


def _told(box: Box, steps: Sequence[Step]) -> str:
    """The box's whole name and what happens in it, for a pointer that rests on it."""
    if not box.steps:
        return f"{box.label}: asked, and no rule of it matched"
    return "\n".join([box.label, *(steps[at].words for at in box.steps)])


def _badge(made: Sequence[Step]) -> tuple[str, str]:
    """The badge of the weightiest step, and its colour."""
    badges = {step.badge for step in made if step.badge}
    for word in _SHAPES:
        if word in badges:
            return f"{_SHAPES[word]} {word}", _COLOURS[word]
    return (f"{_CHANCE[0]} {badges.pop()}", _CHANCE[1]) if badges else ("", "")


def _step_over(column: Column, panel: Panel) -> str:
    """A small arrow from the column before."""
    x, y = column.x - PAD / 2, panel.y + 40 + 11
    return f'<path class="kl-tip" d="M{x - 4:.1f} {y - 4:.1f}l7 4l-7 4z"/>'


def _arrow(above: Panel, below: Panel) -> str:
    """From where the packet leaves one namespace to where it enters the next."""
    start, end = above.columns[-1], below.columns[0]
    x, y = start.x + start.width / 2, above.y + above.height
    to, top = end.x + end.width / 2, below.y
    middle = (y + top) / 2
    return (
        f'<path class="kl-way" d="M{x:.1f} {y:.1f}V{middle:.1f}H{to:.1f}V{top - 5:.1f}"/>'
        f'<path class="kl-tip" d="M{to - 5:.1f} {top - 7:.1f}h10l-5 7z"/>'
    )


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}">{escape(text)}</text>'


def _cut(text: str, room: float, letter: float = 6.3) -> str:
    most = max(4, int(room / letter))
    return text if len(text) <= most else f"{text[: most - 1]}…"
