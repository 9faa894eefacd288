"""Run the notebooks and make the exercises.

    python tools/notebooks.py run [NOTEBOOK …]     execute and store outputs (none named: notebooks/ and solutions/)
    python tools/notebooks.py exercises [--check]  generate exercises/ from solutions/, or only say whether that is due

The outputs in git come from here and from nowhere else: edit the cells in JupyterLab, then run this.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from kubelab.clusters import DEFAULT_NAME
from kubelab.course.exercises import Notebook, exercise
from kubelab.course.seed import REFERENCE
from kubelab.grading.book import FOLDER_VARIABLE, SEED_VARIABLE

ROOT = Path(__file__).resolve().parents[1]
CELL_SECONDS = 300
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Run the notebooks and make the exercises.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="execute notebooks and store their outputs")
    run.add_argument("notebooks", nargs="*", type=Path)
    make = commands.add_parser("exercises", help="generate exercises/ from solutions/")
    make.add_argument("--check", action="store_true", help="change nothing; exit 1 when an exercise is out of date")
    chosen = parser.parse_args()
    if chosen.command == "run":
        paths = chosen.notebooks or sorted([*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("solutions/*.ipynb")])
        for path in paths:
            execute(path)
        return 0
    return make_exercises(check=chosen.check)


def execute(path: Path) -> None:
    """Run a notebook top to bottom as a learner with the reference seed and an empty book; store it normalised.

    On the cluster of the usual name: outputs name its nodes. ``KUBELAB_HOME`` sets another's beside it.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as book:
        environment = {**os.environ, SEED_VARIABLE: REFERENCE, FOLDER_VARIABLE: book, "KUBELAB_NAME": DEFAULT_NAME}
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            record_timing=False,
            store_widget_state=False,
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
            resources={"metadata": {"path": str(path.parent)}},
        )
        client.execute(env=environment)
    write(path, normalised(json.loads(nbformat.writes(notebook))))


def normalised(notebook: Notebook) -> Notebook:
    """Without what differs from machine to machine and from run to run."""
    notebook["metadata"] = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook["cells"]:
        cell["metadata"] = {key: value for key, value in cell["metadata"].items() if key == "tags"}
        for output in cell.get("outputs", ()):
            # The model's id is random and its state is not stored; the text and HTML forms stand for it.
            output.get("data", {}).pop(WIDGET_VIEW, None)
    return notebook


def make_exercises(*, check: bool) -> int:
    """Generate every exercise, or with ``check`` only compare and return 1 when one is out of date."""
    stale = []
    for path in sorted(ROOT.glob("solutions/*.ipynb")):
        target = ROOT / "exercises" / path.name
        made = exercise(json.loads(path.read_text()), f"solutions/{path.name}")
        if target.exists() and json.loads(target.read_text()) == made:
            continue
        stale.append(target.name)
        if not check:
            write(target, made)
    for name in stale:
        sys.stdout.write(f"exercises/{name} {'is out of date' if check else 'written'}\n")
    return 1 if check and stale else 0


def write(path: Path, notebook: dict[str, Any]) -> None:
    """As Jupyter writes it, so that a diff shows what changed."""
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
