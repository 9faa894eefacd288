"""The rows as questions, and what is made of the answers."""

import matplotlib

from kubelab import predict
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths import all_rows
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.accuracy import Accuracy, Checked
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.rows import ELSEWHERE, HOSTS, PATHS, ROWS

matplotlib.use("agg")


def test_what_is_specified_is_one_of_the_choices_of_every_row():
    assert (len(PATHS), len(HOSTS)) == (18, 5)
    assert all(row.specified in row.options for row in ROWS)
    assert {row.id for row in ROWS} > ELSEWHERE.keys()
    assert [PATHS[number].options for number in (1, 15, 18)] == [
        ("yes", "no"),
        ("/", "/aaa", "/aaa/bbb", "no"),
        ("Prefix", "Exact", "no"),
    ]


def test_the_form_asks_all_rows_and_marks_what_was_predicted_last():
    asked = all_rows()
    assert [id_ for id_, *_ in asked["rows"]] == [row.question for row in ROWS]
    assert (asked["chosen"]["11.path-4"], asked["chosen"]["11.path-3"]) == ("yes", "no")
    predict("11.path-4", "no")
    assert all_rows()["chosen"]["11.path-4"] == "no"


def test_the_table_the_sentence_and_the_picture_tell_the_same():
    rows = Accuracy(tuple(Checked(row, row.options[0], row.specified) for row in ROWS))
    assert rows.sentence == "12 of 23 came as you said, 23 of 23 as the specification says"
    assert len(rows.surprises) == 11
    assert "path-18" in rows.surprises
    text, html = repr(rows), rows._repr_html_()
    assert text.splitlines()[0] == rows.sentence
    for row in ROWS:
        assert row.request in text
        assert row.rule in html
    assert len(rows.plot().axes[0].texts) == 7 * len(ROWS)


def test_an_answer_that_is_not_as_specified_is_marked():
    odd = Accuracy((Checked(PATHS[5], "no", "yes"),))
    assert "✖ yes" in repr(odd)
    assert odd.sentence == "0 of 1 came as you said, 0 of 1 as the specification says"
