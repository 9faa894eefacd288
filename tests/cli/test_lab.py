from __future__ import annotations

import json
from pathlib import Path

import pytest

SAYS_HOW_IT_WAS_CALLED = """
import json, os, sys
print(json.dumps({"argv": sys.argv[1:], "env": dict(os.environ), "cwd": os.getcwd()}))
"""


@pytest.fixture
def jupyterlab(kubelab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs ``kubelab lab ARGV…`` in a folder with a space; what JupyterLab was told, and what we said."""
    (tmp_path / "jupyterlab").mkdir()
    (tmp_path / "jupyterlab" / "__init__.py").touch()
    (tmp_path / "jupyterlab" / "__main__.py").write_text(SAYS_HOW_IT_WAS_CALLED)
    folder = tmp_path / "my course"
    folder.mkdir()
    (folder / "first steps.ipynb").touch()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def run(*argv: str, **environment: str):
        done = kubelab("lab", *argv, **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), done.stderr

    return run


def test_jupyterlab_shows_the_notebook_in_the_folder_of_the_command(jupyterlab, tmp_path):
    told, _ = jupyterlab("--no-browser", "first steps.ipynb")
    assert f"--ServerApp.root_dir={tmp_path}/my course" in told["argv"]
    assert "--LabApp.default_url=/lab/tree/first%20steps.ipynb" in told["argv"]
    assert "--no-browser" in told["argv"]


def test_further_options_reach_jupyterlab_and_its_kernels_find_the_cluster(jupyterlab, tmp_path):
    told, said = jupyterlab("--name", "shop", "first steps.ipynb", "--port=9999", "--debug")
    assert {"--port=9999", "--debug"} <= set(told["argv"])
    assert not [option for option in told["argv"] if "log_level" in option]
    assert told["env"]["KUBELAB_NAME"] == "shop"
    assert told["env"]["KUBECONFIG"] == f"{tmp_path}/home/shop/kubeconfig"
    assert "Cluster shop is up" in said


def test_without_a_home_to_write_to_jupyterlab_keeps_its_files_beside_the_clusters(jupyterlab, tmp_path):
    told, said = jupyterlab(HOME="/nowhere")
    assert told["env"]["HOME"] == f"{tmp_path}/home/.home"
    assert told["env"]["KUBELAB_HOME"] == f"{tmp_path}/home"
    assert Path(told["env"]["HOME"]).is_dir()
    assert "Nobody can write to /nowhere" in said


def test_a_notebook_that_is_not_there_starts_nothing(kubelab, tmp_path):
    done = kubelab("lab", "none.ipynb")
    assert done.returncode == 2
    assert "none.ipynb" in done.stderr
    assert not (tmp_path / "home").exists()
