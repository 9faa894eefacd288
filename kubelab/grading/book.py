"""The learner's book: seed, predictions, attempts, hints. One SQLite file beside the notebooks.

It outlives kernels and clusters. ``KUBELAB_PROGRESS`` names another folder (tests, graders).
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from kubelab.grading.results import Outcome, Result

FOLDER_VARIABLE = "KUBELAB_PROGRESS"
SEED_VARIABLE = "KUBELAB_SEED"
FILE_NAME = "progress.sqlite3"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS learner (seed TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    kind TEXT NOT NULL, about TEXT NOT NULL, value TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS notes_by_subject ON notes (kind, about);
"""


class BookError(Exception):
    """The book cannot be read or written. The message says what to do."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class Note(NamedTuple):
    """One entry: when (UTC, ISO 8601), of what kind, about which question or task, and its value."""

    at: str
    kind: str
    about: str
    value: Any


class Book:
    """A learner's book in a folder. Every call opens the file anew, so kernels may come and go."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or Path(os.environ.get(FOLDER_VARIABLE) or Path.cwd() / ".kubelab")

    def seed(self) -> str:
        """The learner's seed, made when first asked for; ``KUBELAB_SEED`` has the last word."""
        fixed = os.environ.get(SEED_VARIABLE)
        if fixed:
            return fixed
        with self._open() as book:
            # One statement, so that two kernels that start at once agree.
            book.execute(
                "INSERT INTO learner SELECT ? WHERE NOT EXISTS (SELECT 1 FROM learner)", (secrets.token_hex(8),)
            )
            return str(book.execute("SELECT seed FROM learner").fetchone()[0])

    def write(self, kind: str, about: str, value: Any) -> None:
        """Add an entry; nothing is ever overwritten."""
        with self._open() as book:
            book.execute("INSERT INTO notes (kind, about, value) VALUES (?, ?, ?)", (kind, about, json.dumps(value)))

    def read(self, kind: str, about: str | None = None) -> list[Note]:
        """The entries of a kind, about one thing or about all, oldest first."""
        with self._open() as book:
            rows = book.execute(
                "SELECT at, kind, about, value FROM notes WHERE kind = ? AND (? IS NULL OR about = ?) ORDER BY id",
                (kind, about, about),
            ).fetchall()
        return [Note(at, found, subject, json.loads(value)) for at, found, subject, value in rows]

    def last(self, kind: str, about: str) -> Any:
        """The newest entry's value; None when there is none."""
        notes = self.read(kind, about)
        return notes[-1].value if notes else None

    def keep(self, result: Result) -> None:
        """Write down what a check found."""
        evidence = [{"words": item.words, "good": item.good} for item in result.evidence]
        value = {
            "outcome": result.outcome,
            "reason": result.reason,
            "evidence": evidence,
            "measured": dict(result.measured),
        }
        self.write("attempt", result.task, value)

    def attempted(self, task: str) -> bool:
        """Whether the learner has handed in something that could be judged."""
        judged = (Outcome.CORRECT, Outcome.INCORRECT)
        return any(note.value["outcome"] in judged for note in self.read("attempt", task))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.folder / FILE_NAME, timeout=10)) as book:
                book.executescript(_SCHEMA)
                with book:
                    yield book
        except (OSError, sqlite3.Error) as error:
            raise BookError(
                f"Your progress cannot be kept in {self.folder} ({error}); "
                f"set {FOLDER_VARIABLE} to a folder that you may write to."
            ) from error
