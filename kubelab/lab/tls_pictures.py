"""Pictures of handshakes over time: with a time axis, and as a story that is the same on every run."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from kubelab.lab import palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kubelab.lab.tls_watch import Shake, TlsWatch

_DRAWN = 10
"""How many handshakes of each phase the story shows, the last ones before the next event."""
_LEFT = "style='text-align: left'"


def draw_watch(watch: TlsWatch) -> Figure:
    """One row for each certificate with a mark for every handshake that got it, one for failures; events as lines."""
    import matplotlib.pyplot as plt

    served = watch.certificates
    rows = [watch.owner(each).name for each in served] + ["failed"]
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.4 * len(rows)), layout="constrained")
    shaken = watch.handshakes
    for row, each in enumerate(served):
        moments = [shake.at for shake in shaken if shake.fingerprint == each]
        colour = palette.nth(palette.COLOURS, row)
        axes.plot(moments, [row] * len(moments), linestyle="", marker="|", markersize=12, color=colour)
    failures = [shake.at for shake in shaken if not shake.ok]
    axes.plot(failures, [len(served)] * len(failures), linestyle="", marker="x", color=palette.BAD)
    for event in watch.events:
        axes.axvspan(event.began, event.ended, color=palette.QUIET, alpha=0.4, linewidth=0)
        axes.axvline(event.ended, color="black", linewidth=1)
        axes.annotate(f" {event.name}", (event.ended, 1.0), xycoords=("data", "axes fraction"), va="bottom", fontsize=9)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("seconds")
    axes.set_xlim(left=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    plt.close(figure)
    return figure


def watch_html(watch: TlsWatch) -> str:
    """What was served before and after each event, as a table of characters: all that an untrusted page keeps."""
    phases = phases_of(watch)
    names = ["before", *(event.name for event in watch.events)] if watch.events else ["all along"]
    head = "".join(f"<th scope='col' {_LEFT}>{escape(name)}</th>" for name in ("", *names))
    rows = []
    for index, each in enumerate(watch.certificates):
        drawn = ["".join("●" if shake.fingerprint == each else " " for shake in phase) for phase in phases]
        rows.append(_row(watch.owner(each).name, drawn, palette.nth(palette.COLOURS, index)))
    failed = ["".join(" " if shake.ok else "✖" for shake in phase) for phase in phases]
    if any(map(str.strip, failed)):
        rows.append(_row("failed", failed, palette.BAD))
    return (
        f"<div><b>{escape(watch.host)}</b>: {escape(watch.sentence)}</div>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def phases_of(watch: TlsWatch) -> list[list[Shake]]:
    """The last handshakes before each event, and before the end."""
    ends = [*(event.began for event in watch.events), float("inf")]
    shaken, phases, began = watch.handshakes, [], 0.0
    for end in ends:
        phases.append([shake for shake in shaken if began <= shake.at and shake.ended < end][-_DRAWN:])
        began = end
    return phases


def _row(name: str, drawn: list[str], colour: str) -> str:
    # Spaces that do not collapse: not every page that shows a notebook keeps `white-space`.
    cells = "".join(
        f"<td {_LEFT}><code style='color: {colour}; background: none'>{text.replace(' ', '&nbsp;')}</code></td>"
        for text in drawn
    )
    return f"<tr><th scope='row' {_LEFT}>{escape(name)}</th>{cells}</tr>"
