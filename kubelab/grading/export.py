"""A learner's results for a grade book: one row a task, as CSV. `kubelab.grading.gradebook` takes the same rows."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TextIO

from kubelab.grading.history import Standing


@dataclass(frozen=True)
class Row:
    """One learner's task. Times are UTC, ISO 8601, or None."""

    learner: str
    lesson: str
    """A name that sorts by the lesson's number, for example ``01-pods-are-ephemeral``."""
    task: str
    outcome: Standing
    attempts: int
    first: str | None
    last: str | None
    points: float
    of: float
    """The points that the task can bring."""
    hints: int
    solution_shown: bool


COLUMNS = tuple(field.name for field in fields(Row))


def write_csv(rows: Iterable[Row], file: TextIO) -> None:
    """A line of column names, then a line a task; RFC 4180, but with lines that end as everywhere else here."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(getattr(row, column)) for column in COLUMNS] for row in rows)


def harmless(text: str) -> str:
    """A text that a spreadsheet shows as it is: learners choose their names, and it would run some as formulas."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return harmless(value)
    return f"{value:g}" if isinstance(value, float) else value
