"""What Binder would build, as repo2docker writes it down: no Docker is needed for that."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BINDER = ROOT / "binder"


@pytest.fixture(scope="module")
def dockerfile(tmp_path_factory):
    """The Dockerfile for a checkout of ours."""
    pytest.importorskip("repo2docker", reason="repo2docker is not installed: pip install -e '.[test]'")
    checkout = tmp_path_factory.mktemp("checkout")
    shutil.copytree(BINDER, checkout / "binder")
    shutil.copy(ROOT / "pyproject.toml", checkout)
    argv = [sys.executable, "-W", "ignore", "-m", "repo2docker", "--no-build", "--debug"]
    argv += ["--user-id", "1000", "--user-name", "jovyan", str(checkout)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=50, cwd=checkout)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_image_has_the_python_that_we_ask_for(dockerfile):
    wanted = (BINDER / "runtime.txt").read_text().strip().removeprefix("python-")
    assert f"environment-2epy-2d{wanted.replace('.', '-2e')}-2dlinux" in dockerfile


def test_kubelab_is_installed_from_the_checkout_with_a_learners_packages_only(dockerfile):
    assert 'pip install --no-cache-dir -r "binder/requirements.txt"' in dockerfile
    lines = (BINDER / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["-e ."]


def test_both_scripts_have_their_place(dockerfile):
    assert "RUN ./binder/postBuild" in dockerfile
    assert 'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in dockerfile


def test_no_packages_of_the_system_are_asked_for():
    assert not (BINDER / "apt.txt").exists()


@pytest.mark.parametrize("script", ["postBuild", "start"])
def test_scripts_can_be_run_and_stop_at_the_first_error(script):
    assert os.access(BINDER / script, os.X_OK)
    assert "set -euo pipefail" in (BINDER / script).read_text()
    subprocess.run(["bash", "-n", BINDER / script], check=True, timeout=10)


def test_nothing_is_fetched_at_launch():
    assert not re.search(r"curl|wget|pip |conda|apt|git |npm", (BINDER / "start").read_text())


def test_starting_hands_over_to_what_binder_wants_to_run(tmp_path):
    said = tmp_path / "said"
    (tmp_path / "kubelab").write_text(f"#!/bin/sh\necho kubelab $* >{said}\n")
    (tmp_path / "kubelab").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    argv = [BINDER / "start", "sh", "-c", f"while ! [ -s {said} ]; do :; done; cat {said}; exit 7"]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout) == (7, "kubelab up\n")


def test_the_image_leaves_out_what_only_we_need():
    left_out = (BINDER / ".dockerignore").read_text().split()
    assert {".git", ".venv"} <= set(left_out)
