import json
from pathlib import Path

import pytest

from kubelab.course.exercises import exercise

ROOT = Path(__file__).resolve().parents[2]


def notebook(source, **changes):
    cell = {
        "cell_type": "code",
        "id": "c1",
        "metadata": {},
        "source": source,
        "outputs": [{"x": 1}],
        "execution_count": 3,
    }
    return {"cells": [{**cell, **changes}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def source(made):
    return "".join(made["cells"][0]["source"])


def test_an_answer_becomes_a_stub_at_the_same_indentation():
    made = exercise(notebook("with x:\n    ### BEGIN SOLUTION\n    a()\n    b()\n    ### END SOLUTION\nc()"), "s")
    assert source(made) == "with x:\n    # YOUR CODE HERE\n    raise NotImplementedError()\nc()"


def test_outputs_and_counts_are_dropped_and_ids_kept():
    (cell,) = exercise(notebook("1"), "s")["cells"]
    assert (cell["outputs"], cell["execution_count"], cell["id"]) == ([], None, "c1")


def test_a_cell_for_the_solution_only_is_left_out():
    assert exercise(notebook("1", metadata={"tags": ["solution"]}), "s")["cells"] == []


def test_the_solution_itself_is_not_touched():
    given = notebook("### BEGIN SOLUTION\nx\n### END SOLUTION")
    before = json.dumps(given)
    exercise(given, "s")
    assert json.dumps(given) == before


@pytest.mark.parametrize(
    "text", ["### BEGIN SOLUTION\nx", "x\n### END SOLUTION", "### BEGIN SOLUTION\n### BEGIN SOLUTION"]
)
def test_markers_that_do_not_match_name_the_cell(text):
    with pytest.raises(ValueError, match="cell c1"):
        exercise(notebook(text), "s")


def test_the_exercises_in_git_are_those_that_the_solutions_make():
    solutions = sorted((ROOT / "solutions").glob("*.ipynb"))
    assert [path.name for path in solutions] == sorted(path.name for path in (ROOT / "exercises").glob("*.ipynb"))
    for path in solutions:
        made = exercise(json.loads(path.read_text()), f"solutions/{path.name}")
        assert json.loads((ROOT / "exercises" / path.name).read_text()) == made, (
            "run: python tools/notebooks.py exercises"
        )
