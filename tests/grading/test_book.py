import threading

import pytest

from kubelab.grading import Book, BookError, Evidence, Outcome, Result


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("KUBELAB_SEED", "KUBELAB_PROGRESS"):
        monkeypatch.delenv(name, raising=False)


def test_the_book_lies_beside_the_notebooks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Book().write("prediction", "1.x", 3)
    assert (tmp_path / ".kubelab" / "progress.sqlite3").exists()


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
