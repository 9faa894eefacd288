"""Traces as tables, in characters and in HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from kubelab.trace.hops import Hop

if TYPE_CHECKING:
    from kubelab.trace.followed import Followed
    from kubelab.trace.outcome import Outcome, Trace

_HEADINGS = ("place", "interface", "hook", "where", "does", "packet after", "chance")


def share(value: float) -> str:
    """A probability with three decimals, without needless zeros: ``0.333``, ``0.5``, ``1``."""
    return f"{value:.3f}".rstrip("0").rstrip(".") if value >= 0.001 else f"{value:.1g}"


def _question(trace: Trace) -> str:
    return f"{trace.sent.protocol} from {trace.source}: {trace.sent}"


def _head(outcome: Outcome) -> str:
    return f"{outcome.kind} at {outcome.place} with probability {share(outcome.probability)}"


def _cells(hop: Hop, last: Hop | None) -> tuple[str, ...]:
    changed = last is None or hop.after != last.after
    return (
        hop.place if last is None or hop.place != last.place else "",
        hop.interfaces if last is None or (hop.place, hop.interfaces) != (last.place, last.interfaces) else "",
        hop.hook if last is None or (hop.place, hop.hook) != (last.place, last.hook) else "",
        hop.where,
        hop.did,
        str(hop.after) if changed else "",
        share(hop.share) if hop.share != 1.0 else "",
    )


def _rows(hops: Sequence[Hop]) -> list[tuple[str, ...]]:
    return [_cells(hop, hops[at - 1] if at else None) for at, hop in enumerate(hops)]


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    used = [at for at, width in enumerate(widths) if any(row[at] for row in rows[1:])]
    return "\n".join("  ".join(row[at].ljust(widths[at]) for at in used).rstrip() for row in rows)


def outcome_table(outcome: Outcome) -> str:
    """The hops as a table, then the end."""
    table = _table([_HEADINGS, *_rows(outcome.hops)])
    assumed = "".join(f"\nassuming: {each}" for each in outcome.assumptions)
    return f"{table}\n{_head(outcome)}{assumed}\n{outcome.reason}"


def trace_table(trace: Trace) -> str:
    """One outcome whole; several as a list."""
    lines = [_question(trace)]
    if len(trace.outcomes) == 1:
        lines.append(outcome_table(trace.outcomes[0]))
    else:
        rows = [("", "chance", "end", "at", "endpoint", "seen as")]
        rows += [
            (f"[{at}]", share(each.probability), each.kind, each.place, each.endpoint, each.received.source_text)
            for at, each in enumerate(trace.outcomes)
        ]
        lines.append(_table(rows))
        for at, each in enumerate(trace.outcomes):
            lines += [f"[{at}] assumes: {assumption}" for assumption in each.assumptions]
    return "\n".join([*lines, *(f"note: {note}" for note in trace.notes)])


def _hop_lines(hops: Sequence[Hop]) -> list[str]:
    lines = []
    for number, hop in enumerate(hops, 1):
        at = " ".join(word for word in (hop.place, hop.interfaces and f"[{hop.interfaces}]", hop.hook) if word)
        chance = f" (chance {share(hop.share)})" if hop.share != 1.0 else ""
        lines.append(f"{number:3}. {at}: {hop.where}: {hop.did}{chance}")
        if hop.rule:
            lines.append(f"       {hop.rule}")
        if hop.after != hop.before:
            lines.append(f"       {hop.before}  becomes  {hop.after}")
    return lines


def outcome_text(outcome: Outcome) -> str:
    """Every hop on lines of its own."""
    lines = [_head(outcome), *_hop_lines(outcome.hops)]
    lines += [f"assuming: {each}" for each in outcome.assumptions]
    return "\n".join([*lines, outcome.reason])


def trace_text(trace: Trace) -> str:
    """Every outcome, whole."""
    parts = [_question(trace), *(f"note: {note}" for note in trace.notes)]
    several = len(trace.outcomes) > 1
    for at, outcome in enumerate(trace.outcomes):
        parts.append((f"[{at}] " if several else "") + outcome_text(outcome))
    return "\n\n".join(parts)


_LEFT = "style='text-align: left; vertical-align: top'"
_DOES = _HEADINGS.index("does")


def _hops_html(hops: Sequence[Hop], caption: str) -> str:
    """Each rule stands below what it does: beside it, nothing else would have room. Empty columns are left out."""
    rows = _rows(hops)
    used = [at for at in range(len(_HEADINGS)) if any(row[at] for row in rows)]
    headings = "".join(f"<th scope='col' {_LEFT}>{escape(_HEADINGS[at])}</th>" for at in used)

    def cell(hop: Hop, row: Sequence[str], at: int) -> str:
        rule = f"<br><code>{escape(hop.rule)}</code>" if at == _DOES and hop.rule else ""
        return f"<td {_LEFT}>{escape(row[at])}{rule}</td>"

    body = "".join(
        f"<tr>{''.join(cell(hop, row, at) for at in used)}</tr>" for hop, row in zip(hops, rows, strict=True)
    )
    return (
        f"<table><caption {_LEFT}>{escape(caption)}</caption>"
        f"<thead><tr>{headings}</tr></thead><tbody>{body}</tbody></table>"
    )


def outcome_html(outcome: Outcome) -> str:
    """The hops as a table; the rule as written stands below what it does."""
    assumed = "".join(f"<p>Assuming: {escape(each)}</p>" for each in outcome.assumptions)
    return f"{_hops_html(outcome.hops, _head(outcome))}{assumed}<p>{escape(outcome.reason)}</p>"


def trace_html(trace: Trace) -> str:
    """One outcome open; several folded, each with its chance and end."""
    notes = "".join(f"<p>Note: {escape(note)}</p>" for note in trace.notes)
    if len(trace.outcomes) == 1:
        body = outcome_html(trace.outcomes[0])
    else:
        body = "".join(
            f"<details><summary>{share(each.probability)}: {escape(each.kind)} at {escape(each.place)} "
            f"({escape(each.endpoint)})</summary>{outcome_html(each)}</details>"
            for each in trace.outcomes
        )
    return f"<div class='kubelab-trace'><p>{escape(_question(trace))}</p>{body}{notes}</div>"


_SEEN = "what the kernel did"


def _entries(followed: Followed) -> list[str]:
    found = [f"{place} knew before: {flow}" for place, flow in followed.before]
    return found + [f"{place} has entered: {flow}" for place, flow in followed.after]


def followed_table(followed: Followed, verdict: str) -> str:
    """The hops as a table, then the end, the entries and whether the computed trace agrees."""
    lines = [f"{followed.sent.protocol} from {followed.source}: {followed.sent} — {_SEEN}"]
    if followed.hops:
        lines.append(_table([_HEADINGS, *_rows(followed.hops)]))
    lines += [followed.reason, *_entries(followed), verdict, *(f"note: {each}" for each in followed.notes)]
    return "\n".join(line for line in lines if line)


def followed_text(followed: Followed, verdict: str) -> str:
    """Every hop with its rule as written, of the packet and of the answer."""
    lines = [f"{followed.sent.protocol} from {followed.source}: {followed.sent} — {_SEEN}", *_hop_lines(followed.hops)]
    if followed.answer:
        lines += ["the answer:", *_hop_lines(followed.answer)]
    lines += [followed.reason, *_entries(followed), verdict, *(f"note: {each}" for each in followed.notes)]
    return "\n".join(line for line in lines if line)


def followed_html(followed: Followed, verdict: str) -> str:
    """A table of the hops, and what the client, the server and the nodes' tables say."""
    words = [followed.reason, *_entries(followed), verdict, *(f"Note: {each}" for each in followed.notes)]
    below = "".join(f"<p>{escape(each)}</p>" for each in words if each)
    caption = f"{followed.sent.protocol} from {followed.source}: {followed.sent} — {_SEEN}"
    return f"<div class='kubelab-trace'>{_hops_html(followed.hops, caption)}{below}</div>"
