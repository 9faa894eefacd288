"""The table lesson × cluster, as Markdown, and its place in the README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tools.parity.verdicts import Verdict

BEGIN, END = "<!-- parity:begin -->", "<!-- parity:end -->"


@dataclass(frozen=True)
class Column:
    """A cluster: its head, and the verdict on each lesson by its number."""

    head: str
    verdicts: Mapping[int, Verdict]
    note: str = ""
    """What has to be known of it."""


def table(
    lessons: Mapping[int, str], columns: Sequence[Column], *, date: str, not_run: Mapping[str, str], version: str
) -> str:
    """The whole text. ``lessons``: number → title; ``not_run``: cluster → why it was not there."""
    notes: list[str] = []
    heads = [f"{column.head}{_mark(column.note, notes)}" for column in columns]
    lines = [f"| lesson | {' | '.join(heads)} |", "|---" * (len(columns) + 1) + "|"]
    for number, title in lessons.items():
        cells = [_cell(column.verdicts.get(number), notes) for column in columns]
        lines.append(f"| {number} {title} | {' | '.join(cells)} |")
    listed = [f"<sup>{at}</sup> {note}" for at, note in enumerate(notes, 1)]
    missing = [f"Not run: **{name}**. {_sentence(why)}" for name, why in not_run.items()]
    head = (
        f"Every cell of the teaching and the graded notebooks, run on {date} with kubelab {version}, against what is "
        "stored in them."
    )
    parts = [head, "\n".join(lines) if columns else "", "<br>\n".join(listed), "<br>\n".join(missing)]
    return "\n\n".join(filter(None, parts))


def spliced(page: str, text: str) -> str:
    """The page with the text between its markers. Raises ValueError where they are not there once, in order."""
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise ValueError(f"the page needs the lines {BEGIN} and {END}, once and in this order")
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}"


def _cell(verdict: Verdict | None, notes: list[str]) -> str:
    if verdict is None:
        return "not run"
    if verdict.different:
        return f"**different**{_mark(_listed(verdict.different), notes)}"
    marks = "".join(_mark(reason, notes) for reason in verdict.reasons)
    if verdict.beside_others:
        marks += _mark(f"By itself; beside other clusters differed {_listed(verdict.beside_others)}", notes)
    if verdict.lacks:
        return f"skipped{marks}"
    if verdict.skipped:
        return f"equal, {len(verdict.skipped)} of {verdict.cells} cells skipped{marks}"
    return f"equal{marks}"


def _listed(cells: Sequence[str]) -> str:
    more = f" and {len(cells) - 3} more" if len(cells) > 3 else ""
    return f"{'; '.join(cells[:3])}{more}"


def _mark(note: str, notes: list[str]) -> str:
    """The number of a footnote; the same words have the same."""
    if not note:
        return ""
    note = _sentence(note)
    if note not in notes:
        notes.append(note)
    return f" <sup>{notes.index(note) + 1}</sup>"


def _sentence(text: str) -> str:
    text = text.strip().rstrip(".").replace("|", "\\|")
    return f"{text[:1].upper()}{text[1:]}."
