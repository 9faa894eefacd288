"""Results in nbgrader's gradebook, written without nbgrader: a learner's machine has no need of it.

A lesson is an assignment with one notebook of the same name, a task is a code cell that nbgrader has graded by itself
(``task-1-1`` for task 1.1). Names, tables and columns are those of nbgrader 0.9, whose schema alembic calls
``e43177bfe90b`` (https://nbgrader.readthedocs.io/en/stable/api/gradebook.html). What teachers add there (manual scores,
extra credit, comments, names of students) stays when results are written again.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Mapping
from contextlib import closing
from importlib import resources
from itertools import groupby
from pathlib import Path

from kubelab.grading.book import BookError
from kubelab.grading.export import Row

SCHEMA = "e43177bfe90b"
FILE_NAME = "gradebook.db"
COURSE = "default_course"
"""What nbgrader calls a course that nobody named."""
PATIENCE_SECONDS = 10


class GradebookError(BookError):
    """The gradebook cannot be read or written. The message says what to do."""


def gradebook_file(where: Path) -> Path:
    """The file meant by a path: itself when it ends with ``.db``, else nbgrader's own name in that folder."""
    return where if where.suffix == ".db" and not where.is_dir() else where / FILE_NAME


def write_gradebook(rows: Iterable[Row], file: Path) -> None:
    """Write results into a gradebook, which is made when it is not there: all, or none. Raises `GradebookError`.

    A learner has a submission of a lesson when one of its tasks could be judged; what was not solved has 0 points.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file, timeout=PATIENCE_SECONDS, isolation_level=None)) as book, book:
            book.execute("BEGIN IMMEDIATE")
            _prepare(book, file)
            for (learner, lesson), tasks in groupby(rows, key=lambda row: (row.learner, row.lesson)):
                _write_lesson(book, learner, lesson, list(tasks))
    except (OSError, sqlite3.Error) as error:
        raise GradebookError(
            f"The gradebook {file} cannot be written ({error}); nothing in it was changed. Name a {FILE_NAME} of "
            "nbgrader, or a folder that you may write to."
        ) from error


def _prepare(book: sqlite3.Connection, file: Path) -> None:
    tables = {name for (name,) in book.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        script = resources.files("kubelab.grading").joinpath("gradebook.sql").read_text()
        for statement in script.split(";"):
            book.execute(statement)
        book.execute("INSERT INTO alembic_version VALUES (?)", (SCHEMA,))
        return
    if "alembic_version" not in tables:
        raise GradebookError(f"{file} is a database, but no gradebook of nbgrader; nothing in it was changed.")
    found = [row[0] for row in book.execute("SELECT version_num FROM alembic_version")]
    if found != [SCHEMA]:
        raise GradebookError(
            f"{file} is the gradebook of another nbgrader than 0.9 (its schema is {', '.join(found)}); nothing in it "
            "was changed. `nbgrader db upgrade` beside it brings an older one up to date."
        )


def _write_lesson(book: sqlite3.Connection, learner: str, lesson: str, tasks: list[Row]) -> None:
    _make_known(book, "student", id=learner)
    course = _course(book)
    assignment = _id(book, "assignment", {"name": lesson}, course_id=course)
    notebook = _id(book, "notebook", {"name": lesson, "assignment_id": assignment})
    cells = {row.task: _grade_cell(book, notebook, row) for row in tasks}
    judged = [row.last for row in tasks if row.last is not None]
    if not judged:
        return
    submission = _id(book, "submitted_assignment", {"assignment_id": assignment, "student_id": learner})
    # nbgrader keeps UTC without saying so
    moment = max(judged).replace("T", " ").removesuffix("Z")
    book.execute("UPDATE submitted_assignment SET timestamp = ? WHERE id = ?", (moment, submission))
    handed_in = _id(book, "submitted_notebook", {"assignment_id": submission, "notebook_id": notebook}, flagged=False)
    for row in tasks:
        key = {"cell_id": cells[row.task], "notebook_id": handed_in}
        grade = _id(book, "grade", key, needs_manual_grade=False)
        book.execute("UPDATE grade SET auto_score = ? WHERE id = ?", (row.points, grade))


def _course(book: sqlite3.Connection) -> str:
    """The course that the gradebook is of; nbgrader makes one when it is opened first."""
    known = [str(name) for (name,) in book.execute("SELECT id FROM course ORDER BY id")]
    if len(known) == 1:
        return known[0]
    _make_known(book, "course", id=COURSE)
    return COURSE


def _grade_cell(book: sqlite3.Connection, notebook: str, row: Row) -> str:
    name = f"task-{row.task.replace('.', '-')}"  # nbgrader allows letters, digits, - and _
    cell = _id(book, "base_cell", {"name": name, "notebook_id": notebook, "type": "GradeCell"})
    _make_known(book, "grade_cells", id=cell, max_score=row.of, cell_type="code")
    book.execute("UPDATE grade_cells SET max_score = ? WHERE id = ?", (row.of, cell))
    return cell


def _make_known(book: sqlite3.Connection, table: str, **values: object) -> None:
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    book.execute(f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING", tuple(values.values()))


def _id(book: sqlite3.Connection, table: str, key: Mapping[str, object], **values: object) -> str:
    """The id of the row with this key; a new row has further values too, an old one keeps its own."""
    where = " AND ".join(f"{name} = ?" for name in key)
    found = book.execute(f"SELECT id FROM {table} WHERE {where}", tuple(key.values())).fetchone()
    if found:
        return str(found[0])
    new = uuid.uuid4().hex
    _make_known(book, table, id=new, **key, **values)
    return new
