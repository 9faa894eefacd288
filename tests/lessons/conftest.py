import os
import subprocess
import sys
import uuid

import pytest

from kubelab.clusters import find


@pytest.fixture(scope="package")
def cluster_name():
    """A cluster of our own, up for these tests; other clusters on the machine are left alone."""
    name = f"lessons-{uuid.uuid4().hex[:6]}"
    kubelab = [sys.executable, "-m", "kubelab.cli"]
    done = subprocess.run([*kubelab, "up", "--name", name], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        subprocess.run([*kubelab, "down", "--name", name], capture_output=True, timeout=60)
        pytest.fail(f"the cluster did not come up: {done.stdout}{done.stderr}")
    yield name
    subprocess.run([*kubelab, "down", "--name", name], capture_output=True, timeout=60, check=True)


@pytest.fixture(scope="module")
def emptied(cluster_name):
    """The cluster, and afterwards without what a lesson has left: its customers go on asking."""
    yield cluster_name
    find(cluster_name).reset()


@pytest.fixture
def learner(emptied, tmp_path, monkeypatch):
    """The environment of the reference learner on that cluster, with an empty book."""
    for key, value in {
        "KUBELAB_NAME": emptied,
        "KUBELAB_SEED": "reference",
        "KUBELAB_PROGRESS": str(tmp_path),
        "TMPDIR": str(tmp_path),  # a kernel that is killed cannot clean up
    }.items():
        monkeypatch.setenv(key, value)
    return dict(os.environ)
