"""A walk without a browser: outcomes and steps as a table of characters and of HTML, the same on every run."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from kubelab.trace import Outcome, Trace
from kubelab.widgets.walk.steps import Step, end
from kubelab.widgets.walk.words import fraction

_PLAIN = " =:/;,.()'"
"""What needs no escape in the URL of a picture inside double quotes."""
_COLUMNS = ("", "where", "what happens", "packet after")


def headline(trace: Trace) -> str:
    """``tcp from client to Service web:80``."""
    sent = trace.named.sent
    return f"{sent.protocol} from {trace.source} to {end(sent.destination, sent.destination_port)}"


def outcome_line(outcome: Outcome) -> str:
    """``1/3  delivered to web-1``."""
    joined = "to" if outcome.kind == "delivered" else "at"
    return f"{fraction(outcome.probability)}  {outcome.kind} {joined} {outcome.place}"


def rows(made: Sequence[Step]) -> list[tuple[str, str, str, str]]:
    """Number, place and chain, words, and the packet where it has changed; only of steps that matter."""
    found = []
    for number, step in enumerate(made, 1):
        if step.matters:
            place = f"{step.hop.place}: {step.where}"
            after = step.hop.after
            packet = f"{end(after.source, after.source_port)} → {end(after.destination, after.destination_port)}"
            marked = f" mark {after.mark:#x}" if after.mark else ""
            seen = {True: " ✓", False: " (not seen)", None: ""}[step.seen]
            found.append((f"{number}{seen}", place, step.words, packet + marked if step.change or number == 1 else ""))
    return found


def text(trace: Trace, shown: Outcome, made: Sequence[Step]) -> str:
    """The whole walk in characters."""
    lines = [f"PacketWalk: {headline(trace)}"]
    lines += [f"  {outcome_line(each)}" for each in trace.named]
    lines.append(f"The way to {shown.place}: {_how_many(made)}")
    for number, place, words, packet in rows(made):
        lines.append(f"{number:>4}. {place}")
        lines.append(f"      {words}")
        if packet:
            lines.append(f"      {packet}")
    lines += [f"End: {shown.named.reason}", *(f"Assuming: {each}" for each in shown.named.assumptions)]
    return "\n".join([*lines, *(f"Note: {note}" for note in trace.named.notes)])


def html(trace: Trace, shown: Outcome, made: Sequence[Step], picture: str) -> str:
    """The outcomes, the picture (SVG) and the steps.

    The picture is an <img>: JupyterLab takes SVG elements out of stored HTML and leaves their texts in a heap.
    """
    alt = escape(f"Map of the way: {shown.named.reason}", quote=True)
    image = f'<img alt="{alt}" style=\'max-width: 100%\' src="data:image/svg+xml,{quote(picture, safe=_PLAIN)}">'
    outcomes = "".join(f"<li>{escape(outcome_line(each))}</li>" for each in trace.named)
    head = "".join(f"<th scope='col' style='text-align: left'>{escape(each)}</th>" for each in _COLUMNS)
    body = "".join(
        "<tr>"
        + "".join(f"<td style='text-align: left; vertical-align: top'>{escape(cell)}</td>" for cell in row)
        + "</tr>"
        for row in rows(made)
    )
    notes = [f"Assuming: {each}" for each in shown.named.assumptions] + [f"Note: {each}" for each in trace.named.notes]
    return (
        f"<div><p><b>Packet walk</b>: {escape(headline(trace))}</p><ul>{outcomes}</ul>"
        f"<p>The way to {escape(shown.place)}: {escape(_how_many(made))}</p>{image}"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<p><b>End</b>: {escape(shown.named.reason)}</p>"
        f"{''.join(f'<p>{escape(each)}</p>' for each in notes)}</div>"
    )


def _how_many(made: Sequence[Step]) -> str:
    key = sum(step.matters for step in made)
    if key == len(made):
        return f"{key} hops."
    return f"{key} of {len(made)} hops; the others look and change nothing."
