import csv
import io

from kubelab.grading.export import Row, write_csv
from kubelab.grading.history import Standing

WHEN = "2026-11-23T14:00:00.000Z"


def rows_of(*rows):
    out = io.StringIO()
    write_csv(rows, out)
    return list(csv.DictReader(io.StringIO(out.getvalue())))


def test_a_row_a_task_with_what_a_grade_book_needs():
    row = Row("ana", "01-pods-are-ephemeral", "1.1", Standing.SOLVED, 2, WHEN, WHEN, 1.0, 1.0, 1, True)
    assert rows_of(row) == [
        {
            "learner": "ana",
            "lesson": "01-pods-are-ephemeral",
            "task": "1.1",
            "outcome": "solved",
            "attempts": "2",
            "first": WHEN,
            "last": WHEN,
            "points": "1",
            "of": "1",
            "hints": "1",
            "solution_shown": "yes",
        }
    ]


def test_what_did_not_happen_is_empty():
    (row,) = rows_of(Row("ana", "x", "1.1", Standing.OPEN, 0, None, None, 0.0, 1.0, 0, False))
    assert (row["first"], row["last"], row["points"]) == ("", "", "0")


def test_a_name_is_text_in_a_spreadsheet_whatever_it_says():
    (row,) = rows_of(Row('=HYPERLINK("x"),\n', "x", "1.1", Standing.OPEN, 0, None, None, 0.0, 1.0, 0, False))
    assert row["learner"] == '\'=HYPERLINK("x"),\n'
