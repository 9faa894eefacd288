import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
from contextlib import closing
from pathlib import Path

import pytest

from kubelab.grading import Book, BookError, Evidence, Outcome, Result


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("KUBELAB_SEED", "KUBELAB_PROGRESS", "KUBELAB_LEARNER", "JUPYTERHUB_USER"):
        monkeypatch.delenv(name, raising=False)


def test_the_book_lies_beside_the_notebooks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Book().write("prediction", "1.x", 3)
    assert (tmp_path / ".kubelab" / "progress.sqlite3").exists()


@pytest.mark.parametrize("folder", ["notebooks", "exercises"])
def test_lessons_and_exercises_write_into_one_book_of_the_course(tmp_path, monkeypatch, folder):
    (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / folder)
    Book().write("prediction", "1.x", 3)
    monkeypatch.chdir(tmp_path)
    assert Book().last("prediction", "1.x") == 3


def test_whoever_runs_the_solutions_does_not_write_into_the_learners_book(tmp_path, monkeypatch):
    (tmp_path / "solutions").mkdir()
    monkeypatch.chdir(tmp_path / "solutions")
    Book().write("prediction", "1.x", 3)
    assert not Book(tmp_path / ".kubelab").exists()


def test_a_book_that_is_there_already_goes_on(tmp_path, monkeypatch):
    own = tmp_path / "exercises" / ".kubelab"
    Book(own).write("prediction", "1.x", 3)
    monkeypatch.chdir(tmp_path / "exercises")
    assert Book().file == own / "progress.sqlite3"


def test_the_seed_is_made_once_and_stays(tmp_path):
    assert Book(tmp_path).seed() == Book(tmp_path).seed()


def test_two_learners_have_two_seeds(tmp_path):
    assert Book(tmp_path / "a").seed() != Book(tmp_path / "b").seed()


def test_two_kernels_that_start_at_once_agree_on_the_seed(tmp_path):
    seeds = []
    threads = [threading.Thread(target=lambda: seeds.append(Book(tmp_path).seed())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seeds) == 4
    assert len(set(seeds)) == 1


def test_the_environment_has_the_last_word_on_the_seed(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBELAB_SEED", "fixed")
    assert Book(tmp_path).seed() == "fixed"


def test_nothing_is_overwritten_and_the_last_word_counts(tmp_path):
    Book(tmp_path).write("prediction", "1.x", 3)
    Book(tmp_path).write("prediction", "1.x", 0)
    assert [note.value for note in Book(tmp_path).read("prediction", "1.x")] == [3, 0]
    assert Book(tmp_path).last("prediction", "1.x") == 0
    assert Book(tmp_path).last("prediction", "1.y") is None


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_what_could_be_judged_is_an_attempt(tmp_path, outcome):
    Book(tmp_path).keep(Result("1.1", outcome, "because", (Evidence("x", True),), measured={"n": 1}))
    assert Book(tmp_path).attempted("1.1") == (outcome in (Outcome.CORRECT, Outcome.INCORRECT))


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BookError, match="set KUBELAB_PROGRESS to a folder"):
        Book(tmp_path / "file").seed()


def test_reading_leaves_nothing_behind(tmp_path):
    book = Book(tmp_path / "none")
    assert (book.read(), book.last("prediction", "1.x"), book.learner()) == ([], None, None)
    assert not book.folder.exists()


FIRST_BOOK = """
CREATE TABLE learner (seed TEXT NOT NULL);
INSERT INTO learner VALUES ('first');
CREATE TABLE notes (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    kind TEXT NOT NULL, about TEXT NOT NULL, value TEXT NOT NULL
);
CREATE INDEX notes_by_subject ON notes (kind, about);
INSERT INTO notes (kind, about, value) VALUES ('prediction', '1.x', '3');
"""
"""As books were before they had a version."""


def made_of(script, folder):
    with closing(sqlite3.connect(folder / "progress.sqlite3")) as book:
        book.executescript(script)
    return Book(folder)


def test_a_book_of_the_first_version_is_read_as_it_is_and_brought_up_to_date_by_the_first_entry(tmp_path, monkeypatch):
    book = made_of(FIRST_BOOK, tmp_path)
    before = book.file.read_bytes()
    assert (book.seed(), book.last("prediction", "1.x"), book.learner()) == ("first", 3, None)
    assert book.file.read_bytes() == before
    monkeypatch.setenv("KUBELAB_LEARNER", "ana")
    book.write("prediction", "1.x", 0)
    assert (book.seed(), [note.value for note in book.read("prediction")], book.learner()) == ("first", [3, 0], "ana")


def test_a_book_of_the_first_version_in_which_nobody_asked_for_a_seed_gets_one(tmp_path):
    book = made_of(FIRST_BOOK.replace("INSERT INTO learner VALUES ('first');", ""), tmp_path)
    assert book.seed() == book.seed() != "first"


def test_a_book_of_a_later_kubelab_is_left_alone(tmp_path):
    book = made_of("PRAGMA user_version = 99", tmp_path)
    before = book.file.read_bytes()
    for attempt in (book.read, book.seed, lambda: book.write("prediction", "1.x", 3)):
        with pytest.raises(BookError, match=r"written by a newer kubelab .*update kubelab"):
            attempt()
    assert book.file.read_bytes() == before


def test_a_book_says_whose_it_is_also_after_somebody_else_has_copied_it(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_USER", "ana")
    ours = Book(tmp_path / "ours")
    ours.write("prediction", "1.x", 3)
    seed = ours.seed()
    shutil.move(ours.folder, tmp_path / "theirs")
    monkeypatch.setenv("JUPYTERHUB_USER", "ben")
    theirs = Book(tmp_path / "theirs")
    theirs.write("prediction", "1.y", 4)
    assert (theirs.learner(), theirs.seed(), theirs.last("prediction", "1.x")) == ("ana", seed, 3)
    monkeypatch.setenv("KUBELAB_LEARNER", "anna")
    theirs.write("prediction", "1.y", 5)
    assert theirs.learner() == "anna"


def test_kernels_that_write_at_the_same_time_lose_nothing(tmp_path):
    program = "import sys; from kubelab.grading import Book; [Book().write('note', sys.argv[1], n) for n in range(20)]"
    environment = os.environ | {"KUBELAB_PROGRESS": str(tmp_path)}
    kernels = [subprocess.Popen([sys.executable, "-c", program, str(name)], env=environment) for name in range(3)]
    assert [kernel.wait(timeout=60) for kernel in kernels] == [0, 0, 0]
    for name in range(3):
        assert [note.value for note in Book(tmp_path).read("note", str(name))] == list(range(20))


def test_a_kernel_that_is_killed_while_it_writes_spoils_nothing(tmp_path):
    book = Book(tmp_path)
    book.write("prediction", "1.x", 3)
    program = textwrap.dedent(f"""
        import os, signal, sqlite3
        book = sqlite3.connect({str(book.file)!r}, isolation_level=None)
        book.execute("PRAGMA cache_size = 1")
        book.execute("BEGIN IMMEDIATE")
        book.executemany("UPDATE notes SET value = ?", [("9" * 9000,)] * 9)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == -9
    assert (tmp_path / "progress.sqlite3-journal").exists()
    assert book.last("prediction", "1.x") == 3


@pytest.mark.parametrize("rest", [b"", b"no database at all" * 100])
def test_a_damaged_book_is_one_sentence_and_stays_as_it_is(tmp_path, rest):
    book = Book(tmp_path)
    for number in range(200):
        book.write("prediction", "1.x", number)
    book.file.write_bytes(rest or book.file.read_bytes()[:4096])
    before = book.file.read_bytes()
    for attempt in (book.read, book.seed, lambda: book.write("prediction", "1.x", 3)):
        with pytest.raises(BookError, match=r"is damaged .*nothing in it was changed\. Move it away") as raised:
            attempt()
        assert "\n" not in str(raised.value)
    assert book.file.read_bytes() == before


def test_a_value_that_cannot_be_read_is_damage_too(tmp_path):
    book = Book(tmp_path)
    book.write("prediction", "1.x", 3)
    with closing(sqlite3.connect(book.file)) as file, file:
        file.execute("UPDATE notes SET value = '{'")
    with pytest.raises(BookError, match="is damaged"):
        book.read("prediction")


@pytest.fixture
def others_folder():
    """A folder that everybody can read and only we can write."""
    with tempfile.TemporaryDirectory(prefix="kubelab-read-only-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


READS_AND_WRITES = """
from kubelab.grading import Book, BookError
book = Book()
print(book.seed(), book.last("prediction", "1.x"))
try:
    book.write("prediction", "1.x", 0)
except BookError as error:
    print(error)
"""


def test_a_read_only_book_is_read_and_what_cannot_be_written_is_one_sentence(others_folder):
    book = Book(others_folder)
    book.write("prediction", "1.x", 3)
    seed, before = book.seed(), book.file.read_bytes()
    book.file.chmod(0o444)
    others_folder.chmod(0o555)
    nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    if not all(os.stat(parent).st_mode & 0o001 for parent in Path(sys.executable).resolve().parents):
        pytest.skip(f"nobody but root can run {sys.executable}")
    done = subprocess.run(
        [sys.executable, "-c", READS_AND_WRITES], capture_output=True, text=True, timeout=60, cwd="/", **nobody,
        env={"KUBELAB_PROGRESS": str(others_folder), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    others_folder.chmod(0o755)
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert first == f"{seed} 3"
    assert second.startswith(f"Nothing new can be written into {book.file} (")
    assert "what is in it stays" in second
    assert book.file.read_bytes() == before
