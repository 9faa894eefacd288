"""The life-lines without a time axis: what was there before, what came of it, what was there after.

Times differ from run to run, the story does not: this form is the same every time. It is a table of characters, because
that is what is left of a notebook's HTML before it is trusted (JupyterLab, GitHub): no SVG, and little style.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

from kubelab.lab import palette

if TYPE_CHECKING:
    from kubelab.lab.lifelines import LifeLine, PodLifelines

_HALF = 10
_HEAD = f"{'before':<{_HALF}} {'after':>{_HALF}}"
_LEFT = "text-align: left"
_ASKED = 10
"""How many of a client's first and last requests are drawn."""


class Row(NamedTuple):
    """One line of the drawing."""

    name: str
    line: str
    """Characters over the time before, during and after the experiment."""
    words: str
    address: str
    colour: str


def lifelines_html(lifelines: PodLifelines) -> str:
    """The drawing as an HTML table."""
    head = "".join(f"<th style='{_LEFT}'>{word}</th>" for word in ("", _monospaced(_HEAD), "what happened", "pod IP"))
    body = "".join(map(_html_row, rows(lifelines)))
    return (
        f"<div><b>{escape(lifelines.addresses)}</b></div>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def rows(lifelines: PodLifelines) -> list[Row]:
    """The pods in the order of their numbers, then the clients."""
    pods = [_pod_row(index, line, lifelines) for index, line in enumerate(lifelines.lines)]
    return pods + [_client_row(name, lifelines) for name in sorted(lifelines.traffic)]


def _pod_row(index: int, line: LifeLine, lifelines: PodLifelines) -> Row:
    drawn, words = _story(
        was=any(pod.uid == line.pod.uid for pod in lifelines.before),
        is_=any(pod.uid == line.pod.uid for pod in lifelines.after),
        restarted=bool(line.restarted),
    )
    # Addresses by number, in the order of the pods: their digits differ from run to run.
    seen = list(dict.fromkeys(other.pod.ip for other in lifelines.lines))
    address = f"no. {seen.index(line.pod.ip) + 1}"
    return Row(line.pod.alias, drawn, words, address, palette.nth(palette.COLOURS, index))


def _story(*, was: bool, is_: bool, restarted: bool) -> tuple[str, str]:
    half, gap = "━" * _HALF, " " * _HALF
    if was and is_:
        return f"●{half[1:]}{'↻' if restarted else '━'}{half[1:]}●", "container restarted" if restarted else "stayed"
    if was:
        return f"●{half[1:]}✖{gap}", "gone"
    if is_:
        return f"{gap}●{half[1:]}●", "new"
    return f"{gap[2:]}●━━━✖{gap[2:]}", "came and went"


def _client_row(name: str, lifelines: PodLifelines) -> Row:
    answers = [answer.ok for answer in lifelines.traffic[name].answers]
    before, after = ("".join("✔" if ok else "✖" for ok in part) for part in (answers[:_ASKED], answers[-_ASKED:]))
    bad = "✖" in after
    return Row(f"client {name}", f"{before}…{after}", lifelines.fate(name), "", palette.BAD if bad else palette.GOOD)


def _html_row(row: Row) -> str:
    line = _monospaced(row.line, f"color: {row.colour}; ")
    cells = "".join(f"<td style='{_LEFT}'>{cell}</td>" for cell in (line, escape(row.words), escape(row.address)))
    return f"<tr><th style='{_LEFT}'>{escape(row.name)}</th>{cells}</tr>"


def _monospaced(text: str, style: str = "") -> str:
    # Spaces that do not collapse: not every page that shows a notebook keeps `white-space`.
    return f"<code style='{style}background: none'>{escape(text).replace(' ', '&nbsp;')}</code>"
