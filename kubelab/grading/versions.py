"""What is inside a book's file, by version, and how an older book becomes one of today.

The version is SQLite's ``user_version``. The first books had none: they count as 0, like a file that is new.
"""

from __future__ import annotations

import sqlite3

_STEPS: tuple[tuple[str, ...], ...] = (
    # 1: as the first books were
    (
        "CREATE TABLE IF NOT EXISTS learner (seed TEXT NOT NULL)",
        """CREATE TABLE IF NOT EXISTS notes (
            id INTEGER PRIMARY KEY, at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
            kind TEXT NOT NULL, about TEXT NOT NULL, value TEXT NOT NULL
        )""",
        "CREATE INDEX IF NOT EXISTS notes_by_subject ON notes (kind, about)",
    ),
    # 2: the book says whose it is, so that a copy on somebody else's machine still does
    (
        "ALTER TABLE learner RENAME TO unnamed",
        "CREATE TABLE learner (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT, seed TEXT)",
        "INSERT INTO learner (one, seed) VALUES (1, (SELECT seed FROM unnamed))",
        "DROP TABLE unnamed",
    ),
)
CURRENT = len(_STEPS)


class TooNew(Exception):
    """A book was written by a later kubelab than this one."""


def version(book: sqlite3.Connection) -> int:
    """The version of what is in the file. Raises `TooNew`."""
    found = int(book.execute("PRAGMA user_version").fetchone()[0])
    if found > CURRENT:
        raise TooNew(f"its version is {found}, this kubelab knows up to {CURRENT}")
    return found


def bring_up_to_date(book: sqlite3.Connection) -> None:
    """Change an older book into one of today, in the transaction that is open. Raises `TooNew`."""
    for number, statements in enumerate(_STEPS[version(book) :], version(book) + 1):
        for statement in statements:
            book.execute(statement)
        book.execute(f"PRAGMA user_version = {number}")
