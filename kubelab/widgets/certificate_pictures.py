"""Which certificate was served for which name: a table, a time line of their validity, and both in characters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import NamedTuple
from urllib.parse import quote

from cryptography import x509

from kubelab.lab import palette
from kubelab.lab.served import Handshake, validity

WIDTH, ROW, HEAD, FOOT = 760, 46, 12, 34
_LEFT_COLUMN, _RIGHT_MARGIN = 270, 30
_LETTER = 6.2
"""Width of a letter (11 px)."""
_LABEL = 34
"""A day beside today that is nearer than this has a line without words."""
_TICKS = (-3650, -365, -90, -30, -7, -1, 0, 1, 7, 30, 90, 365, 3650)
_NO_HANDSHAKE = "no handshake"
_CELL = "style='text-align: left; padding-right: 1em'"
STYLE = """
.kl-validity text { font: 11px var(--jp-ui-font-family, sans-serif); fill: var(--jp-ui-font-color1, #222); }
.kl-validity .kl-quiet { fill: var(--jp-ui-font-color2, #555); }
.kl-validity .kl-name { font-weight: 600; font-size: 12px; }
.kl-validity .kl-ground { fill: var(--jp-layout-color1, #fff); }
.kl-validity .kl-grid { stroke: var(--jp-border-color2, #ddd); }
.kl-validity .kl-today { stroke: var(--jp-ui-font-color1, #222); stroke-width: 1.5; stroke-dasharray: 4 3; }
.kl-validity .kl-over { fill-opacity: .35; stroke-width: 1.5; }
"""


class Served(NamedTuple):
    """One of the certificates that were served."""

    name: str
    names: str
    leaf: x509.Certificate
    symbol: str
    colour: str


def certificates(shaken: Sequence[Handshake]) -> dict[str, Served]:
    """The certificates by fingerprint, in the order in which they were served."""
    first = {each.fingerprint: each for each in reversed(shaken) if each.served}
    ordered = dict.fromkeys(each.fingerprint for each in shaken if each.served)
    return {
        key: Served(
            str(first[key].owner),
            ", ".join(first[key].names) or "no name",
            first[key].leaf,
            palette.nth(palette.SYMBOLS, at),
            palette.nth(palette.COLOURS, at),
        )
        for at, key in enumerate(ordered)
    }


def asked(handshake: Handshake) -> str:
    """``shop.example.test``, ``no SNI``: what the client said."""
    return handshake.sni or "no SNI"


def verdict(handshake: Handshake) -> str:
    """``✔ verified``, ``✖ expired``."""
    if not handshake.served:
        return f"✖ {handshake.error}"
    return "✔ verified" if handshake.verified else f"✖ {handshake.why_not}"


def text(shaken: Sequence[Handshake]) -> str:
    """Which certificate was served for which name, and until when each is valid, in characters."""
    found = certificates(shaken)
    width = max((len(asked(each)) for each in shaken), default=0)
    lines = [
        f"{asked(each):<{width}}  {found[each.fingerprint].name if each.served else _NO_HANDSHAKE}: {verdict(each)}"
        for each in shaken
    ]
    return "\n".join([*lines, *(f"{each.name}: {validity(each.leaf)}" for each in found.values())])


def html(shaken: Sequence[Handshake]) -> str:
    """The table and, as an image, the time line."""
    picture = quote(svg(shaken), safe=" =:/;,.()'")
    alt = escape(_described(shaken), quote=True)
    image = f'<img alt="{alt}" style="max-width: 100%" src="data:image/svg+xml,{picture}">'
    return f"<div>{matrix(shaken)}{image if certificates(shaken) else ''}</div>"


def matrix(shaken: Sequence[Handshake]) -> str:
    """A row for each name that a client said, a column for each certificate that was served."""
    found = certificates(shaken)
    columns = [*found, *([""] if not all(each.served for each in shaken) else [])]
    heads = "".join(f"<th scope='col' {_CELL}>{_head(found.get(key))}</th>" for key in columns)
    rows = "".join(
        f"<tr><th scope='row' {_CELL}>{escape(asked(each))}</th>{_cells(each, columns, found)}</tr>" for each in shaken
    )
    return (
        f"<table><thead><tr><th scope='col' {_CELL}>name said (SNI)</th>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _head(served: Served | None) -> str:
    if served is None:
        return _NO_HANDSHAKE
    return f"<span style='color: {served.colour}'>{served.symbol}</span> {escape(served.name)}"


def _cells(handshake: Handshake, columns: Sequence[str], found: dict[str, Served]) -> str:
    mine = handshake.fingerprint if handshake.served else ""
    colour = palette.GOOD if handshake.verified else palette.BAD
    sign, _, words = verdict(handshake).partition(" ")  # the words are to be read in any theme
    said = f"<span style='color: {colour}'>{sign}</span> {escape(words)}"
    return "".join(f"<td {_CELL}>{said if key == mine else ''}</td>" for key in columns)


def _described(shaken: Sequence[Handshake]) -> str:
    return "; ".join(f"{each.name}: {validity(each.leaf)}" for each in certificates(shaken).values())


def svg(shaken: Sequence[Handshake]) -> str:
    """From when until when each certificate is valid, in days from today (on a logarithmic scale)."""
    found = list(certificates(shaken).values())
    spans = [_span(each.leaf) for each in found]
    scale = _Scale(min([-1.0, *(begin for begin, _ in spans)]), max([1.0, *(end for _, end in spans)]))
    bottom = HEAD + ROW * len(found)
    grid = "".join(_tick(scale, days, bottom) for days in _TICKS if scale.first <= days <= scale.last)
    rows = "".join(
        _row(each, span, scale, HEAD + ROW * at) for at, (each, span) in enumerate(zip(found, spans, strict=True))
    )
    height = bottom + FOOT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="kl-validity" viewBox="0 0 {WIDTH} {height}" width="100%" '
        f'style="max-width: {WIDTH}px" role="img"><title>Validity of the certificates that were served</title>'
        f"<desc>{escape(_described(shaken))}</desc><style>{STYLE}</style>"
        f'<rect class="kl-ground" width="{WIDTH}" height="{height}"/>{grid}{rows}</svg>'
    )


class _Scale:
    """Days from today to the picture's x: a day beside today is as easy to see as a year."""

    def __init__(self, first: float, last: float) -> None:
        self.first = max([days for days in _TICKS if days <= first], default=_TICKS[0])
        self.last = min([days for days in _TICKS if days >= last], default=_TICKS[-1])

    def x(self, days: float) -> float:
        """Where a day stands; what is beyond the picture stands at its edge."""
        low, high, here = (_log(each) for each in (self.first, self.last, min(max(days, self.first), self.last)))
        return _LEFT_COLUMN + (WIDTH - _LEFT_COLUMN - _RIGHT_MARGIN) * (here - low) / (high - low)


def _log(days: float) -> float:
    return math.copysign(math.log1p(abs(days)), days)


def _span(leaf: x509.Certificate) -> tuple[float, float]:
    now = datetime.now(UTC)
    begin, end = (
        round((moment - now).total_seconds() / 86400)
        for moment in (leaf.not_valid_before_utc, leaf.not_valid_after_utc)
    )
    return begin, end


def _tick(scale: _Scale, days: int, bottom: float) -> str:
    x = f"{scale.x(days):.1f}"
    crowded = days != 0 and abs(scale.x(days) - scale.x(0)) < _LABEL
    label = "today" if days == 0 else "" if crowded else f"{days:+d} d".replace("-", "−")
    kind = "kl-today" if days == 0 else "kl-grid"
    return (
        f'<line class="{kind}" x1="{x}" x2="{x}" y1="{HEAD - 4}" y2="{bottom}"/>'
        f'<text class="kl-quiet" x="{x}" y="{bottom + 16}" text-anchor="middle">{label}</text>'
    )


def _row(served: Served, span: tuple[float, float], scale: _Scale, y: float) -> str:
    words = validity(served.leaf)
    good = span[0] <= 0 <= span[1] and words.startswith("valid for")
    colour = palette.GOOD if good else palette.BAD
    begin, end = scale.x(span[0]), scale.x(span[1])
    kind = "kl-now" if good else "kl-over"
    width = len(words) * _LETTER + 16
    at = max(_LEFT_COLUMN, min(begin + 5, WIDTH - _RIGHT_MARGIN - width))
    return (
        f'<text class="kl-name" x="8" y="{y + 18:.0f}"><tspan style="fill: {served.colour}">{served.symbol}</tspan> '
        f"{escape(_cut(served.name))}</text>"
        f'<text class="kl-quiet" x="22" y="{y + 34:.0f}">{escape(_cut(f"for {served.names}"))}</text>'
        f'<text x="{at:.1f}" y="{y + 16:.0f}">{"✔" if good else "✖"} {escape(words)}</text>'
        f'<rect class="{kind}" x="{begin:.1f}" y="{y + 22:.0f}" height="12" rx="3" '
        f'width="{max(3.0, end - begin):.1f}" fill="{colour}" stroke="{colour}"/>'
    )


def _cut(said: str, most: int = 38) -> str:
    return said if len(said) <= most else said[: most - 1] + "…"
