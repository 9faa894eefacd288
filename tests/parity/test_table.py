"""The table says of every lesson on every cluster what became of it, and of every cluster that was not there why."""

import pytest

from tools.parity.table import BEGIN, END, Column, spliced, table
from tools.parity.verdicts import Verdict

LESSONS = {1: "Pods", 2: "Services", 3: "Packets"}


def written(*columns, **not_run):
    return table(LESSONS, columns, date="2026-01-02", not_run=not_run, version="1.0")


def test_equal_skipped_and_different_are_told_apart_with_their_reasons():
    one = Column("embedded", {1: Verdict(9), 2: Verdict(9), 3: Verdict(9, (), ("the lesson, cell x",))})
    two = Column("existing", {1: Verdict(9, ("no shell", "no shell")), 2: Verdict(lacks="it lacks ingress")}, "shared")
    lines = written(one, two).splitlines()
    assert lines[2:7] == [
        "| lesson | embedded | existing <sup>1</sup> |",
        "|---|---|---|",
        "| 1 Pods | equal | equal, 2 of 9 cells skipped <sup>2</sup> |",
        "| 2 Services | equal | skipped <sup>3</sup> |",
        "| 3 Packets | **different** <sup>4</sup> | not run |",
    ]
    assert [line.removesuffix("<br>") for line in lines[8:]] == [
        "<sup>1</sup> Shared.",
        "<sup>2</sup> No shell.",
        "<sup>3</sup> It lacks ingress.",
        "<sup>4</sup> The lesson, cell x.",
    ]


def test_what_is_equal_only_by_itself_is_told_apart_from_equal():
    cells = tuple(f"its tasks, cell {name}" for name in "abcd")
    text = written(Column("a", {1: Verdict(9, beside_others=cells), 2: Verdict(9, ("no shell",), beside_others=cells)}))
    assert "| 1 Pods | equal <sup>1</sup> |" in text
    assert "| 2 Services | equal, 1 of 9 cells skipped <sup>2</sup> <sup>1</sup> |" in text
    assert "By itself; beside other clusters differed its tasks, cell a; its tasks, cell b; its tasks, cell c" in text


def test_a_reason_that_is_told_twice_is_one_note():
    text = written(Column("a", {1: Verdict(9, ("no shell",)), 2: Verdict(9, ("no shell.",))}))
    assert text.count("No shell.") == 1


def test_what_was_not_run_is_said_with_the_reason():
    text = written(kind="Docker does not run.")
    assert "Not run: **kind**. Docker does not run." in text
    assert "|" not in text


def test_a_page_gets_the_text_between_its_markers_and_nothing_else_changes():
    page = f"# Head\n{BEGIN}\nold\n{END}\ntail\n"
    assert spliced(page, "new") == f"# Head\n{BEGIN}\n\nnew\n\n{END}\ntail\n"
    assert spliced(spliced(page, "x"), "new") == spliced(page, "new")


@pytest.mark.parametrize("page", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_a_page_without_its_markers_is_left_alone(page):
    with pytest.raises(ValueError, match="once and in this order"):
        spliced(page, "new")
