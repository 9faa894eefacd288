"""The learner's book: whose it is, seed, predictions, attempts, hints. One SQLite file in the folder of the course.

It outlives kernels and clusters, and goes where the folder goes: nothing in it is a path. Reading never changes it.
``KUBELAB_PROGRESS`` names another folder (tests, graders).
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from kubelab.grading import versions
from kubelab.grading.results import Outcome, Result

FOLDER_VARIABLE = "KUBELAB_PROGRESS"
SEED_VARIABLE = "KUBELAB_SEED"
LEARNER_VARIABLE = "KUBELAB_LEARNER"
FILE_NAME = "progress.sqlite3"
ONE_BOOK = ("notebooks", "exercises")
"""Folders of the course whose notebooks write into one book, beside them; ``solutions`` has a book of its own."""
PATIENCE_SECONDS = 10
"""How long a kernel waits while another one writes."""


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


def course_book(course: Path) -> Path:
    """The folder of the book for somebody who works in ``course``, which may be one of its folders of notebooks."""
    own = course / ".kubelab"
    if course.name in ONE_BOOK and not (own / FILE_NAME).exists():
        return course.parent / ".kubelab"
    return own


class Book:
    """A learner's book in a folder. Every call opens the file anew, so kernels may come and go."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or Path(os.environ.get(FOLDER_VARIABLE) or course_book(Path.cwd()))
        self.file = self.folder / FILE_NAME

    def exists(self) -> bool:
        """Whether anything was ever written. Raises `BookError` where nobody may look."""
        with self._in_one_sentence():
            return self.file.exists()

    def seed(self) -> str:
        """The learner's seed, made when first asked for; ``KUBELAB_SEED`` has the last word."""
        fixed = os.environ.get(SEED_VARIABLE)
        if fixed:
            return fixed
        with self._reading() as book:
            seed = book.execute("SELECT seed FROM learner").fetchone()[0]
        if seed is None:
            with self._writing() as book:
                # Another kernel may have been faster: its seed stays.
                book.execute("UPDATE learner SET seed = ? WHERE seed IS NULL", (secrets.token_hex(8),))
                seed = book.execute("SELECT seed FROM learner").fetchone()[0]
        return str(seed)

    def learner(self) -> str | None:
        """Whose book it is; None when nobody has written into it since books say so."""
        with self._reading() as book:
            name: str | None = book.execute("SELECT name FROM learner").fetchone()[0]
        return name

    def write(self, kind: str, about: str, value: Any) -> None:
        """Add an entry; nothing is ever overwritten."""
        with self._writing() as book:
            book.execute("INSERT INTO notes (kind, about, value) VALUES (?, ?, ?)", (kind, about, json.dumps(value)))

    def read(self, kind: str | None = None, about: str | None = None) -> list[Note]:
        """The entries, of one kind or of all, about one thing or about all, oldest first."""
        with self._reading() as book:
            rows = book.execute(
                "SELECT at, kind, about, value FROM notes"
                " WHERE (:kind IS NULL OR kind = :kind) AND (:about IS NULL OR about = :about) ORDER BY id",
                {"kind": kind, "about": about},
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
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """The file, made or brought up to date when needed, in one transaction, after those of other kernels."""
        with self._in_one_sentence():
            self.folder.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.file, timeout=PATIENCE_SECONDS, isolation_level=None)) as book, book:
                book.execute("BEGIN IMMEDIATE")
                versions.bring_up_to_date(book)
                _sign(book)
                yield book

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """The file as it is; one that is older, or not there yet, is brought up to date in memory."""
        with self._in_one_sentence(), closing(sqlite3.connect(":memory:")) as copy:
            if not self.file.exists():
                versions.bring_up_to_date(copy)
                yield copy
                return
            # rw, not ro: what a killed kernel left half-written is put right; SQLite itself falls back to ro
            address = f"{self.file.absolute().as_uri()}?mode=rw"
            with closing(sqlite3.connect(address, uri=True, timeout=PATIENCE_SECONDS)) as book:
                if versions.version(book) == versions.CURRENT:
                    yield book
                else:
                    book.backup(copy)
                    versions.bring_up_to_date(copy)
                    yield copy

    @contextmanager
    def _in_one_sentence(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error, json.JSONDecodeError, versions.TooNew) as error:
            raise BookError(self._sentence(error)) from error

    def _sentence(self, error: Exception) -> str:
        code = str(getattr(error, "sqlite_errorname", ""))
        if isinstance(error, versions.TooNew):
            return f"Your progress in {self.file} was written by a newer kubelab ({error}); update kubelab to go on."
        if isinstance(error, json.JSONDecodeError) or code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return (
                f"Your progress in {self.file} is damaged ({error}); nothing in it was changed. Move it away to begin "
                "a new one, or put a copy of yours in its place; `sqlite3 FILE .recover` shows what can still be read."
            )
        if code.startswith("SQLITE_BUSY"):
            return f"Another program has held {self.file} for {PATIENCE_SECONDS} s; end it, and run this again."
        if self._is_there():
            return (
                f"Nothing new can be written into {self.file} ({error}), and what is in it stays: make it and its "
                f"folder writable, or copy the folder and set {FOLDER_VARIABLE} to the copy."
            )
        return (
            f"Your progress cannot be kept in {self.folder} ({error}); "
            f"set {FOLDER_VARIABLE} to a folder that you may write to."
        )

    def _is_there(self) -> bool:
        try:
            return self.file.exists()
        except OSError:
            return False


def _sign(book: sqlite3.Connection) -> None:
    """The first who writes is the learner; ``KUBELAB_LEARNER`` has the last word."""
    if chosen := os.environ.get(LEARNER_VARIABLE):
        book.execute("UPDATE learner SET name = ? WHERE name IS NOT ?", (chosen, chosen))
    else:
        book.execute("UPDATE learner SET name = ? WHERE name IS NULL", (_user(),))


def _user() -> str | None:
    if on_a_hub := os.environ.get("JUPYTERHUB_USER"):
        return on_a_hub
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return None  # a user without an account, as in a container; the book stays without a name
