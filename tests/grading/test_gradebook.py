import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from kubelab.grading.export import Row
from kubelab.grading.gradebook import GradebookError, gradebook_file, write_gradebook
from kubelab.grading.history import Standing

WHEN, LATER = "2026-11-23T14:00:00.123Z", "2026-11-23T15:00:00.000Z"
LESSON = "01-pods-are-ephemeral"


def row(learner="ana", task="1.1", *, solved=True, at=WHEN, lesson=LESSON):
    outcome = Standing.SOLVED if solved else Standing.ATTEMPTED if at else Standing.OPEN
    return Row(learner, lesson, task, outcome, 1, at, at, float(solved), 1.0, 0, False)


def ask(file, query):
    with closing(sqlite3.connect(file)) as book:
        return book.execute(query).fetchall()


def scores(file):
    query = """SELECT student_id, base_cell.name, auto_score FROM grade JOIN base_cell ON base_cell.id = cell_id
    JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
    JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id ORDER BY 1, 2"""
    return ask(file, query)


def test_a_path_means_a_gradebook_or_the_one_in_a_folder(tmp_path):
    assert gradebook_file(tmp_path / "points.db") == tmp_path / "points.db"
    assert gradebook_file(tmp_path / "course") == tmp_path / "course" / "gradebook.db"
    (tmp_path / "odd.db").mkdir()
    assert gradebook_file(tmp_path / "odd.db") == tmp_path / "odd.db" / "gradebook.db"


def test_every_task_of_a_lesson_that_was_begun_has_a_score(tmp_path):
    file = tmp_path / "course" / "gradebook.db"
    write_gradebook([row(), row(task="1.2", solved=False), row("ben", solved=False, at=None)], file)
    assert scores(file) == [("ana", "task-1-1", 1.0), ("ana", "task-1-2", 0.0)]
    assert ask(file, "SELECT id FROM student ORDER BY id") == [("ana",), ("ben",)]


def test_written_again_it_has_the_newer_scores_once(tmp_path):
    file = tmp_path / "gradebook.db"
    write_gradebook([row(solved=False)], file)
    write_gradebook([row(at=LATER), row("ben")], file)
    assert scores(file) == [("ana", "task-1-1", 1.0), ("ben", "task-1-1", 1.0)]
    assert ask(file, "SELECT timestamp FROM submitted_assignment WHERE student_id = 'ana'") == [
        ("2026-11-23 15:00:00.000",)
    ]


def test_what_a_teacher_added_stays(tmp_path):
    file = tmp_path / "gradebook.db"
    write_gradebook([row(solved=False)], file)
    with closing(sqlite3.connect(file)) as book, book:
        book.execute("UPDATE grade SET manual_score = 0.5, extra_credit = 0.25")
        book.execute("UPDATE student SET first_name = 'Ana'")
    write_gradebook([row()], file)
    assert ask(file, "SELECT auto_score, manual_score, extra_credit FROM grade") == [(1.0, 0.5, 0.25)]
    assert ask(file, "SELECT first_name FROM student") == [("Ana",)]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("CREATE TABLE mine (x)", "no gradebook of nbgrader"),
        ("CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES ('old')", "schema is old"),
    ],
)
def test_a_database_that_is_something_else_is_left_alone(tmp_path, script, said):
    file = tmp_path / "gradebook.db"
    with closing(sqlite3.connect(file)) as book:
        book.executescript(script)
    before = file.read_bytes()
    with pytest.raises(GradebookError, match=said):
        write_gradebook([row()], file)
    assert file.read_bytes() == before


def test_a_file_that_is_no_database_is_one_sentence(tmp_path):
    (tmp_path / "gradebook.db").write_text("points: none\n" * 100)
    with pytest.raises(GradebookError, match=r"not a database.*nothing in it was changed"):
        write_gradebook([row()], tmp_path / "gradebook.db")


def test_one_row_that_cannot_be_written_and_none_is(tmp_path):
    file = tmp_path / "gradebook.db"
    write_gradebook([row()], file)
    with pytest.raises(GradebookError, match="cannot be written"):
        write_gradebook([row("ben"), row("eve", lesson=None)], file)
    assert ask(file, "SELECT id FROM student") == [("ana",)]


# With nbgrader itself: the interpreter of an environment that has it, since learners' have not


@pytest.fixture(scope="module")
def nbgrader(tmp_path_factory):
    """Lets nbgrader read a gradebook, which it makes when there is none."""
    python = os.environ.get("KUBELAB_NBGRADER_PYTHON") or (sys.executable if find_spec("nbgrader") else None)
    if python is None:
        pytest.skip(
            "nbgrader is not installed here; set KUBELAB_NBGRADER_PYTHON to the Python of an environment that has "
            "kubelab[instructor]"
        )
    home = tmp_path_factory.mktemp("home")
    environment = os.environ | {"PATH": f"{Path(python).parent}:{os.environ['PATH']}", "HOME": str(home)}

    def read(file):
        reads = Path(__file__).with_name("nbgrader_reads.py")
        done = subprocess.run(
            [python, str(reads), str(file)], capture_output=True, text=True, timeout=50, env=environment
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return read


def test_nbgrader_reads_the_scores_that_were_written(nbgrader, tmp_path):
    file = tmp_path / "gradebook.db"
    write_gradebook([row(), row(task="1.2", solved=False), row("ben", solved=False, at=None)], file)
    seen = nbgrader(file)
    assert seen["scores"] == {
        f"ana/{LESSON}/{LESSON}/task-1-1": [1.0, 1.0, False],
        f"ana/{LESSON}/{LESSON}/task-1-2": [0.0, 1.0, False],
    }
    assert seen["totals"] == {"ana": [1.0, 2.0], "ben": [0.0, 2.0]}
    assert seen["times"] == {f"ana/{LESSON}": "2026-11-23T14:00:00.123000"}


def test_our_tables_are_nbgraders_and_its_own_gradebook_can_be_written_into(nbgrader, tmp_path):
    ours, theirs = tmp_path / "ours.db", tmp_path / "theirs.db"
    write_gradebook([row()], ours)
    made = nbgrader(theirs)
    write_gradebook([row()], theirs)
    seen, again = nbgrader(ours), nbgrader(theirs)
    assert seen["columns"] == made["columns"]
    assert seen["unique"] == made["unique"]
    assert again["scores"] == seen["scores"]
    assert ask(ours, "SELECT * FROM alembic_version") == ask(theirs, "SELECT * FROM alembic_version")
