from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kubelab.grading import Book, Outcome, Result


@pytest.fixture(autouse=True)
def in_a_course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A learner called ana who stands in the folder of a course, with nothing done."""
    for name in ("KUBELAB_PROGRESS", "KUBELAB_SEED", "JUPYTERHUB_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KUBELAB_LEARNER", "ana")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TZ", "UTC")
    course = tmp_path / "course"
    (course / "exercises").mkdir(parents=True)
    monkeypatch.chdir(course)
    return course


def work(course: Path, *outcomes: Outcome) -> Book:
    """What somebody did in a course: task 1.1 was checked, and one of lesson 1's predictions was wrong."""
    book = Book(course / ".kubelab")
    book.write("prediction", "1.delete", 3)
    book.write("observation", "1.delete", 0)
    for outcome in outcomes:
        book.keep(Result("1.1", outcome, "because"))
    return book


def test_who_has_not_begun_sees_the_lessons_and_no_file_is_made(kubelab, in_a_course):
    done = kubelab("progress")
    assert done.returncode == 0, done.stderr
    assert f"Nothing is written down in {in_a_course}/.kubelab yet" in done.stdout
    assert " 1  Pods are ephemeral" in done.stdout
    assert not (in_a_course / ".kubelab").exists()


def test_a_lesson_that_was_begun_is_told_task_by_task(kubelab, in_a_course):
    book = work(in_a_course, Outcome.INCORRECT, Outcome.CORRECT)
    when = book.read("attempt")[-1].at[:16].replace("T", " ")
    told = kubelab("progress").stdout
    assert told.startswith(f"ana, from {book.file}\n")
    assert f"✔  1.1  solved  {when}  2 attempts  Down to one and back to three" in told
    assert "○  1.2  open" in told
    assert "1 of 6 predictions made; of 1 that were tried, 0 held" in told
    assert "2.1" not in told


def test_a_finding_is_told_with_its_task(kubelab, in_a_course):
    Book(in_a_course / ".kubelab").write("answer", "3.1", {"chain": "KUBE-X"})
    assert "finding written down 2" in kubelab("progress").stdout


def test_progress_outlives_the_cluster(kubelab, in_a_course):
    work(in_a_course, Outcome.CORRECT)
    before = kubelab("progress").stdout
    assert kubelab("up").returncode == 0
    assert kubelab("down").returncode == 0
    assert kubelab("progress").stdout == before


def test_progress_goes_where_the_folder_goes(kubelab, in_a_course, tmp_path, monkeypatch):
    work(in_a_course, Outcome.CORRECT)
    in_a_course.rename(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere" / "exercises")
    monkeypatch.setenv("KUBELAB_LEARNER", "ben")
    told = kubelab("progress").stdout
    assert told.startswith(f"ana, from {tmp_path}/elsewhere/.kubelab/progress.sqlite3")
    assert "1.1  solved" in told


def test_json_is_an_object_a_learner(kubelab, in_a_course, tmp_path):
    work(in_a_course, Outcome.CORRECT)
    work(tmp_path / "other", Outcome.INCORRECT)
    (alone,) = json.loads(kubelab("progress", "--json").stdout)
    both = json.loads(kubelab("progress", "--json", ".", f"ben={tmp_path}/other").stdout)
    assert alone["learner"] == "ana"
    assert alone["lessons"][0]["tasks"][0]["standing"] == "solved"
    assert alone["lessons"][0]["predictions"][1]["held"] is False
    assert [each["learner"] for each in both] == ["ana", "ben"]


def test_csv_has_a_row_a_task_of_every_learner(kubelab, in_a_course, tmp_path):
    work(in_a_course, Outcome.CORRECT)
    work(tmp_path / "other", Outcome.INCORRECT)
    done = kubelab("progress", "exercises", f"ben={tmp_path}/other/.kubelab", "--csv", "points.csv")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "2 learners, " in done.stderr
    rows = list(csv.DictReader(io.StringIO((in_a_course / "points.csv").read_text())))
    first = [(row["learner"], row["outcome"], row["points"]) for row in rows if row["task"] == "1.1"]
    assert first == [("ana", "solved", "1"), ("ben", "attempted", "0")]


def test_a_gradebook_is_made_in_a_folder_and_gets_the_next_learner_too(kubelab, in_a_course, tmp_path):
    work(in_a_course, Outcome.CORRECT)
    work(tmp_path / "other", Outcome.INCORRECT)
    for who in (".", f"ben={tmp_path}/other"):
        assert kubelab("progress", who, "--nbgrader", str(tmp_path / "grading")).returncode == 0
    with closing(sqlite3.connect(tmp_path / "grading" / "gradebook.db")) as gradebook:
        assert gradebook.execute("SELECT id FROM student ORDER BY id").fetchall() == [("ana",), ("ben",)]
        assert gradebook.execute("SELECT sum(auto_score) FROM grade").fetchall() == [(1.0,)]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["nowhere"], "There is no progress in nowhere: no file nowhere/.kubelab/progress.sqlite3."),
        ([".", "../other", "--csv", "-"], "are both of a learner called ana; say who is who: kubelab progress NAME="),
        ([".", "--csv", "/nowhere/points.csv"], "/nowhere/points.csv cannot be written: No such file or directory."),
        ([".", "--nbgrader", "text.db"], "The gradebook text.db cannot be written (file is not a database)"),
    ],
)
def test_what_goes_wrong_is_one_sentence(kubelab, in_a_course, tmp_path, argv, said):
    work(in_a_course, Outcome.CORRECT)
    work(tmp_path / "other")
    (in_a_course / "text.db").write_text("x" * 1000)
    done = kubelab("progress", *argv)
    assert done.returncode == 1
    assert done.stderr.startswith("kubelab: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_book_that_does_not_say_whose_it_is_has_to_be_named_for_a_grade_book(kubelab, in_a_course):
    work(in_a_course, Outcome.CORRECT)
    with closing(sqlite3.connect(in_a_course / ".kubelab" / "progress.sqlite3")) as book, book:
        book.execute("UPDATE learner SET name = NULL")
    assert "A learner, from" in kubelab("progress").stdout
    assert "does not say whose it is; say so: kubelab progress NAME=" in kubelab("progress", "--csv", "-").stderr
    assert "\neve,01-pods-are-ephemeral,1.1,solved" in kubelab("progress", "eve=.", "--csv", "-").stdout


def test_a_damaged_book_is_one_sentence(kubelab, in_a_course):
    work(in_a_course).file.write_text("x" * 1000)
    done = kubelab("progress")
    assert done.returncode == 1
    assert "is damaged (file is not a database); nothing in it was changed." in done.stderr
