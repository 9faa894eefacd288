"""From a graded notebook with its answers to the one that learners fill in: a pure function.

Two rules. What stands between ``### BEGIN SOLUTION`` and ``### END SOLUTION`` becomes a stub at the same indentation
(the markers and the stub are nbgrader's, https://nbgrader.readthedocs.io). A cell with the tag ``solution`` is left
out. Outputs and counts are dropped; cell ids are kept, so that a learner's notebook can be matched with its source.
"""

from __future__ import annotations

import copy
from typing import Any

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
STUB = ("# YOUR CODE HERE", "raise NotImplementedError()")
LEFT_OUT = "solution"

Notebook = dict[str, Any]


def exercise(solution: Notebook, source: str) -> Notebook:
    """The exercise of a graded notebook (both as nbformat 4 JSON); ``source`` is the solution's path, for the stamp.

    Raises `ValueError` for markers that do not match, naming the cell.
    """
    notebook = copy.deepcopy(solution)
    notebook["cells"] = [_without_answer(cell) for cell in notebook["cells"] if LEFT_OUT not in _tags(cell)]
    notebook["metadata"]["kubelab"] = {
        "generated_from": source,
        "edit": "the source, then run tools/notebooks.py exercises",
    }
    return notebook


def _without_answer(cell: dict[str, Any]) -> dict[str, Any]:
    lines = "".join(cell["source"]).split("\n")
    if cell["cell_type"] == "code":
        cell["outputs"], cell["execution_count"] = [], None
        lines = _stubbed(lines, cell["id"])
    cell["source"] = "\n".join(lines).splitlines(keepends=True)
    return cell


def _stubbed(lines: list[str], cell_id: str) -> list[str]:
    kept: list[str] = []
    inside = False
    for line in lines:
        marker = line.strip()
        if marker == (BEGIN if inside else END):
            raise ValueError(f"cell {cell_id}: {marker!r} where the other marker is expected")
        if marker == BEGIN:
            indent = line[: len(line) - len(line.lstrip())]
            kept += [indent + stub for stub in STUB]
            inside = True
        elif marker == END:
            inside = False
        elif not inside:
            kept.append(line)
    if inside:
        raise ValueError(f"cell {cell_id}: {BEGIN!r} has no {END!r}")
    return kept


def _tags(cell: dict[str, Any]) -> list[str]:
    return cell["metadata"].get("tags", [])
