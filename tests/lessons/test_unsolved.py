"""An exercise as it is handed out: it can be run through, and no task is taken for solved."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from kubelab.course.catalogue import catalogue

ROOT = Path(__file__).resolve().parents[2]
KIND_ERRORS = {"NotImplementedError", "PredictFirst"}


@pytest.mark.engine
@pytest.mark.timeout(180)
@pytest.mark.parametrize("lesson", catalogue(), ids=lambda lesson: lesson.package)
def test_the_exercise_as_it_is_handed_out_is_not_attempted(lesson, learner, tmp_path):
    (path,) = ROOT.glob(f"exercises/{lesson.number:02}-*.ipynb")
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=100, kernel_name="python3", allow_errors=True)
    client.resources = {"metadata": {"path": str(tmp_path)}}
    client.execute(env=learner)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert {output.ename for output in outputs if output.output_type == "error"} <= KIND_ERRORS
    shown = [output.data["text/plain"] for output in outputs if "data" in output]
    for task in lesson.tasks:
        assert any(text.startswith(f"{task.id} not attempted") for text in shown), task.id
