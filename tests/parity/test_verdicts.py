"""From what became of cells to a verdict: what was skipped is never equal, and what differs is never skipped."""

from tools.parity.verdicts import Cell, Verdict, judge, names, settled, skipping, together


def cell(source="x", passed=True, shown="", id="c"):
    return Cell(id, source, passed, shown)


def test_cells_that_show_what_is_stored_are_equal():
    assert judge([cell(), cell()], "the lesson") == Verdict(2)


def test_a_cell_that_says_that_it_was_skipped_is_skipped_whether_it_failed_or_is_not_compared():
    said = "Skipped: there is no table here."
    verdict = judge([cell(passed=False, shown=said), cell(passed=True, shown=said)], "the lesson")
    assert (verdict.skipped, verdict.different) == (("there is no table here.",) * 2, ())
    assert verdict.reasons == ("there is no table here.",)


def test_a_cell_that_fails_for_want_of_a_skipped_cells_result_is_skipped_with_it():
    cells = [
        cell("seen = rejected(lab)", passed=False, shown="Skipped: no shell."),
        cell("more = len(seen)", passed=False, shown="name 'seen' is not defined"),
        cell("more", passed=False, shown="name 'more' is not defined"),
        cell("lab.pods()"),
    ]
    verdict = judge(cells, "the lesson")
    assert (len(verdict.skipped), verdict.different, verdict.reasons) == (3, (), ("no shell.",))


def test_what_differs_for_another_reason_is_different_also_behind_a_skipped_cell():
    cells = [
        cell("seen = rejected(lab)", passed=False, shown="Skipped: no shell."),
        cell("lab.pods()", passed=False, shown="Pods()", id="pods"),
        cell("seen = 1"),
        cell("seen", passed=False, shown="2", id="again"),
    ]
    assert judge(cells, "the lesson").different == ("the lesson, cell pods", "the lesson, cell again")


def test_a_name_that_a_skipped_cell_did_set_excuses_nobody():
    cells = [cell("left = flows(lab)", passed=True, shown="Skipped: no table."), cell("left", passed=False, id="left")]
    assert judge(cells, "the lesson").different == ("the lesson, cell left",)


def test_a_notebook_that_did_not_run_is_different():
    assert judge([], "its tasks").different == ("its tasks, which did not run",)


def test_the_reason_is_found_in_an_error_and_in_a_result_and_not_in_a_word():
    assert skipping(cell(shown="Lacking: Skipped: no shell.")) == "no shell."
    assert skipping(cell(shown="? 2.2 cannot be checked now: Skipped: no shell.\nmore")) == "no shell."
    assert skipping(cell(shown="3 skipped, NotSkipped: 4")) == ""


def test_names_are_read_and_set_by_cells():
    assert names("import a.b, c as d\nwith p.first('x'):\n    e = f(g)") == ({"p", "f", "g"}, {"a", "d", "e"})
    assert names("%magic") == (set(), set())


def test_a_lesson_is_as_its_notebooks_are():
    assert together([Verdict(2, ("a",)), Verdict(3, (), ("x",))]) == Verdict(5, ("a",), ("x",))


def test_what_differed_beside_others_counts_as_it_is_by_itself_and_is_told():
    crowded = Verdict(5, (), ("its tasks, cell x",))
    assert settled(crowded, Verdict(5, ("no shell",))) == Verdict(5, ("no shell",), (), "", ("its tasks, cell x",))
    alone = Verdict(5, (), ("its tasks, cell y",))
    assert settled(crowded, alone) == alone
