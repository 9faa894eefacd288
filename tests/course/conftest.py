import socket

import pytest

from kubelab import lab as lab_module
from kubelab.lab.testing import fake_lab


@pytest.fixture(autouse=True)
def own_book(tmp_path, monkeypatch):
    """A learner of our own: an empty book and a fixed seed."""
    monkeypatch.setenv("KUBELAB_PROGRESS", str(tmp_path))
    monkeypatch.setenv("KUBELAB_SEED", "test")


@pytest.fixture
def lab(monkeypatch):
    """A lab in memory, which is also the one that `check` finds."""
    lab = fake_lab()
    monkeypatch.setattr(lab_module, "_current", lab)
    return lab


@pytest.fixture
def port():
    """A port of this machine that nobody has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
