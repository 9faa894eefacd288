"""What every notebook in git keeps to, whatever it teaches."""

import ast
import json
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = sorted([*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("solutions/*.ipynb")])
EXERCISES = sorted(ROOT.glob("exercises/*.ipynb"))
LESSONS = [path for path in RUN if path.parent.name == "notebooks"]
MAY_FAIL = "raises-exception"
OWN_TO_A_RUN = re.compile(r"\b10\.(244|96)\.\d|\b0x[0-9a-f]{6,}|[0-9a-f]{8}-[0-9a-f]{4}-")
"""Addresses that were given, objects in memory, UIDs."""
MARKS = re.compile(r"\b0x0000[48]000\b")
"""kube-proxy's packet marks, masquerade and drop: the same everywhere."""


def code_cells(path):
    return [cell for cell in read(path)["cells"] if cell["cell_type"] == "code"]


def read(path):
    return json.loads(path.read_text())


def name(path):
    return f"{path.parent.name}/{path.name}"


every_notebook = pytest.mark.parametrize("path", RUN + EXERCISES, ids=name)
every_run_notebook = pytest.mark.parametrize("path", RUN, ids=name)


def test_there_are_notebooks():
    assert RUN
    assert EXERCISES


@every_notebook
def test_it_is_a_valid_notebook_with_unique_ids(path):
    nbformat.validate(nbformat.read(path, as_version=4))
    ids = [cell["id"] for cell in read(path)["cells"]]
    assert len(ids) == len(set(ids))
    assert read(path)["nbformat_minor"] >= 5


@every_notebook
def test_its_metadata_is_the_same_on_every_machine(path):
    metadata = read(path)["metadata"]
    assert metadata["kernelspec"] == {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert "version" not in metadata.get("language_info", {})
    assert "widgets" not in metadata


@every_run_notebook
def test_it_was_run_once_from_top_to_bottom(path):
    counts = [cell["execution_count"] for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1)), "run: python tools/notebooks.py run"


@every_run_notebook
def test_no_cell_failed_and_nothing_was_written_to_stderr(path):
    for cell in code_cells(path):
        for output in cell["outputs"]:
            assert output["output_type"] != "error" or MAY_FAIL in cell["metadata"].get("tags", []), cell["id"]
            assert output.get("name") != "stderr", cell["id"]


@every_run_notebook
def test_nothing_shown_belongs_to_one_run_or_one_machine(path):
    for cell in code_cells(path):
        for output in cell["outputs"]:
            texts = [
                output.get("text", ""),
                *(v for k, v in output.get("data", {}).items() if not k.startswith("image/png")),
            ]
            shown = "".join("".join(text) for text in texts if not isinstance(text, dict))
            assert not re.search(r"/(home|root|tmp|work|Users)/", shown), cell["id"]
            assert not OWN_TO_A_RUN.search(MARKS.sub("", shown)), cell["id"]
            assert "widget-view" not in "".join(output.get("data", {})), cell["id"]


@pytest.mark.parametrize("path", EXERCISES, ids=name)
def test_an_exercise_has_no_outputs_and_is_python(path):
    for cell in code_cells(path):
        assert (cell["outputs"], cell["execution_count"]) == ([], None)
        ast.parse("".join(cell["source"]))
        assert "SOLUTION" not in "".join(cell["source"])


@every_notebook
def test_links_between_notebooks_lead_somewhere(path):
    for cell in read(path)["cells"]:
        for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", "".join(cell["source"])):
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_a_lesson_says_first_what_it_is_about_and_last_where_to_go_on(path):
    first, *_, last = ("".join(cell["source"]) for cell in read(path)["cells"])
    for promise in ("What you'll do.", "What you'll learn.", "What you'll need."):
        assert f"**{promise}**" in first
    graded = f"](../exercises/{path.name})"
    after = [f"]({each.name})" for each in LESSONS[LESSONS.index(path) + 1 :][:1]]
    (onwards,) = re.findall(r"^\*\*Next\.\*\* .*$", last, re.MULTILINE)
    for link in (graded, *after):
        assert link in onwards, f"the paragraph **Next.** has no link to {link[2:-1]}"


@pytest.mark.parametrize("path", EXERCISES, ids=name)
def test_a_graded_notebook_leads_to_the_next_lesson(path):
    last = "".join(read(path)["cells"][-1]["source"])
    after = [each.name for each in LESSONS if each.name > path.name][:1]
    assert all(f"](../notebooks/{each})" in last for each in after), f"its last cell has no link to {after}"
