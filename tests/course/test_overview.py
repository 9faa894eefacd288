import json

import pytest

from kubelab import check, predict, progress
from kubelab.course import tasks
from kubelab.course.catalogue import catalogue
from kubelab.grading import Book, BookError, Outcome, Result
from kubelab.grading.history import Standing


def judged(task, *outcomes):
    for outcome in outcomes:
        Book().keep(Result(task, outcome, "because"))


def first():
    return progress().lessons[0]


def test_whoever_has_not_begun_sees_every_lesson_and_no_book_is_made():
    assert [lesson.number for lesson in progress().lessons] == [lesson.number for lesson in catalogue()]
    assert not any(lesson.begun for lesson in progress().lessons)
    assert not Book().exists()


def test_a_lesson_counts_its_tasks_and_predictions():
    predict("1.delete", 3)
    predict.compare("1.delete", 0)
    predict("1.restart", 3)
    predict.compare("1.restart", 3)
    predict("1.rollout", 0)
    judged("1.1", Outcome.INCORRECT, Outcome.CORRECT)
    judged("1.2", Outcome.INCORRECT, Outcome.CANNOT_CHECK)
    lesson = first()
    assert (lesson.made, lesson.seen, lesson.held, lesson.solved, lesson.begun) == (3, 2, 1, 1, True)
    assert [task.history.standing for task in lesson.tasks] == [Standing.SOLVED, Standing.ATTEMPTED]


def test_a_finding_is_counted_where_it_was_asked_for():
    Book().write("answer", "3.1", {"chain": "KUBE-X"})
    assert [lesson.findings for lesson in progress().lessons[:4]] == [0, 0, 1, 0]


def test_text_and_html_tell_the_same_and_no_times():
    predict("1.delete", 3)
    predict.compare("1.delete", 0)
    judged("1.1", Outcome.CORRECT)
    text, html = repr(progress()), progress()._repr_html_()
    assert "✔ 1.1  ○ 1.2" in text
    assert "1 of 6" in text
    assert "0 of 1" in text
    assert "Down to one and back to three: solved" in html
    assert "<td style='text-align: left'>0 of 1</td>" in html
    when = first().tasks[0].history.solved
    assert when is not None
    assert when[:10] not in text + html


def test_rows_for_a_grade_book_name_the_lesson_as_its_notebook():
    judged("1.1", Outcome.INCORRECT, Outcome.CORRECT)
    row, second = list(progress().rows("ana"))[:2]
    assert (row.lesson, row.task, row.outcome, row.attempts, row.points, row.of) == (
        *("01-pods-are-ephemeral", "1.1", "solved"),
        *(2, 1.0, 1.0),
    )
    assert (second.task, second.points, second.first) == ("1.2", 0.0, None)


def test_a_grade_book_tells_lessons_apart_and_sorts_them_by_number():
    slugs = [lesson.slug for lesson in progress().lessons]
    assert len(set(slugs)) == len(slugs)
    assert [slug[:2] for slug in slugs] == [f"{lesson.number:02}" for lesson in catalogue()]


def test_json_has_no_judgement_on_a_prediction_that_was_not_tried():
    predict("1.delete", 3)
    told = json.loads(json.dumps(progress().as_json()))
    (delete,) = (each for each in told["lessons"][0]["predictions"] if each["question"] == "1.delete")
    assert delete == {"question": "1.delete", "predicted": 3, "observed": None, "held": None}


def test_another_folder_can_be_read(tmp_path):
    Book(tmp_path / "ana").keep(Result("1.1", Outcome.CORRECT, "because"))
    assert progress(tmp_path / "ana").lessons[0].solved == 1
    assert progress().lessons[0].solved == 0


def test_what_a_check_found_is_shown_also_when_it_cannot_be_written_down(lab, monkeypatch):
    def full(*_):
        raise BookError("There is no room for it.")

    monkeypatch.setattr(Book, "write", full)
    result = check("1.2")
    assert result.outcome is Outcome.CANNOT_CHECK
    assert result.advice == "There is no room for it."


def test_no_traffic_is_sent_for_a_book_that_cannot_be_read(lab, monkeypatch, tmp_path):
    monkeypatch.delenv("KUBELAB_SEED")
    (tmp_path / "progress.sqlite3").write_bytes(b"no database" * 100)
    monkeypatch.setattr(tasks, "current", lambda: pytest.fail("the cluster was asked for"))
    with pytest.raises(BookError, match="is damaged"):
        check("1.2")
