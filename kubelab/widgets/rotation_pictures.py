"""Handshakes over time as SVG: a row for each certificate that was served, one for failures, events as lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from kubelab.lab import palette
from kubelab.lab.tls_watch import Event, Shake, TlsWatch

WIDTH, ROW, HEAD, FOOT = 760, 34, 30, 34
_LEFT_COLUMN, _RIGHT_MARGIN = 220, 16
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60)
STYLE = """
.kl-rotation text { font: 11px var(--jp-ui-font-family, sans-serif); fill: var(--jp-ui-font-color1, #222); }
.kl-rotation .kl-quiet { fill: var(--jp-ui-font-color2, #555); }
.kl-rotation .kl-name { font-weight: 600; }
.kl-rotation .kl-ground { fill: var(--jp-layout-color1, #fff); }
.kl-rotation .kl-line { stroke: var(--jp-border-color2, #ddd); }
.kl-rotation .kl-during { fill: var(--jp-border-color1, #bbb); fill-opacity: .5; }
.kl-rotation .kl-event { stroke: var(--jp-ui-font-color1, #222); stroke-width: 1.5; }
"""


def svg(watch: TlsWatch, last_seconds: float = float("inf")) -> str:
    """The handshakes of a record, or of its last seconds."""
    shaken = watch.handshakes
    until = max((each.at for each in shaken), default=0.0)
    since = max(0.0, until - last_seconds)
    shaken = [each for each in shaken if each.at >= since]
    served = [each for each in watch.certificates if any(shake.fingerprint == each for shake in shaken)]
    numbers = {each: at for at, each in enumerate(watch.certificates)}
    axis = _Axis(since, max(until, since + 1.0))
    rows = [
        _row(at, watch.owner(each).name, palette.nth(palette.SYMBOLS, numbers[each]), "|",
             palette.nth(palette.COLOURS, numbers[each]), axis, (s for s in shaken if s.fingerprint == each))
        for at, each in enumerate(served)
    ]  # fmt: skip
    failures = [each for each in shaken if not each.ok]
    label = f"failed ({len(failures)} of {len(shaken)})"
    rows.append(_row(len(served), label, "✖", "x", palette.BAD, axis, failures))
    bottom = HEAD + ROW * len(rows)
    events = "".join(_event(each, axis, bottom) for each in watch.events if each.ended >= since)
    height = bottom + FOOT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="kl-rotation" viewBox="0 0 {WIDTH} {height}" width="100%" '
        f'style="max-width: {WIDTH}px" role="img"><title>Handshakes with {escape(watch.host)}</title>'
        f"<desc>{escape(watch.sentence)}</desc><style>{STYLE}</style>"
        f'<rect class="kl-ground" width="{WIDTH}" height="{height}"/>'
        f"{_ticks(axis, bottom)}{events}{''.join(rows)}</svg>"
    )


class _Axis:
    """Seconds to the picture's x."""

    def __init__(self, first: float, last: float) -> None:
        self.first, self.last = first, last

    def x(self, seconds: float) -> float:
        inside = min(max(seconds, self.first), self.last)
        return _LEFT_COLUMN + (WIDTH - _LEFT_COLUMN - _RIGHT_MARGIN) * (inside - self.first) / (self.last - self.first)

    def ticks(self) -> Sequence[float]:
        """Five to ten round numbers."""
        step = next((each for each in _STEPS if (self.last - self.first) / each <= 10), 120)
        count = int(self.last / step) - int(-(-self.first // step)) + 1
        return [(int(-(-self.first // step)) + at) * step for at in range(count)]


def _row(at: int, name: str, symbol: str, shape: str, colour: str, axis: _Axis, shaken: Iterable[Shake]) -> str:
    middle = HEAD + ROW * at + ROW // 2
    drawn = {"|": "v14", "x": "l7 14m-7 0l7 -14"}[shape]
    left = 3.5 if shape == "x" else 0
    marks = "".join(f"M{axis.x(each.at) - left:.1f} {middle - 7}{drawn}" for each in shaken)
    return (
        f'<text class="kl-name" x="8" y="{middle + 4}"><tspan style="fill: {colour}">{symbol}</tspan> '
        f'{escape(name)}</text><path d="{marks}" stroke="{colour}" stroke-width="1.5" fill="none"/>'
    )


def _ticks(axis: _Axis, bottom: float) -> str:
    return "".join(
        f'<line class="kl-line" x1="{axis.x(each):.1f}" x2="{axis.x(each):.1f}" y1="{HEAD}" y2="{bottom}"/>'
        f'<text class="kl-quiet" x="{axis.x(each):.1f}" y="{bottom + 15}" text-anchor="middle">{each:g} s</text>'
        for each in axis.ticks()
    )


def _event(event: Event, axis: _Axis, bottom: float) -> str:
    began, ended = axis.x(event.began), axis.x(event.ended)
    near_the_edge = ended > WIDTH - 130
    anchor, at = ("end", ended - 4) if near_the_edge else ("start", ended + 4)
    return (
        f'<rect class="kl-during" x="{began:.1f}" y="{HEAD}" width="{ended - began:.1f}" height="{bottom - HEAD}"/>'
        f'<line class="kl-event" x1="{ended:.1f}" x2="{ended:.1f}" y1="{HEAD - 18}" y2="{bottom}"/>'
        f'<text x="{at:.1f}" y="{HEAD - 10}" text-anchor="{anchor}">{escape(event.name)}</text>'
    )
