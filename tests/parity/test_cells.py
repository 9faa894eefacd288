"""The plugin beside nbval writes down what became of every cell, whether it was compared or failed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]


def cell(source, stored=""):
    made = nbformat.v4.new_code_cell(source, id=f"cell-{source[:1]}", execution_count=1)
    if stored:
        made.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": stored}, execution_count=1)]
    return made


@pytest.mark.timeout(120)
def test_every_cell_is_written_down(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[
        cell("1 + 1", "2"), cell("2 + 2", "5"), cell("raise ValueError('Skipped: no.')"), cell("print('out')"),
    ])  # fmt: skip
    path, told = tmp_path / "small.ipynb", tmp_path / "told.jsonl"
    nbformat.write(notebook, path)
    argv = [sys.executable, "-m", "pytest", "-p", "tools.parity.cells", f"--parity-cells={told}", "--nbval",
            "--nbval-current-env", "--timeout=0", path]  # fmt: skip
    subprocess.run(argv, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, timeout=100)
    lines = [json.loads(line) for line in told.read_text().splitlines()]
    assert [(line["id"], line["passed"], line["shown"].strip()) for line in lines] == [
        ("cell-1", True, "2"), ("cell-2", False, "4"), ("cell-r", False, "Skipped: no."), ("cell-p", False, "out"),
    ]  # fmt: skip
    assert "differ" in lines[1]["failure"]
