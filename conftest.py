"""Tests and `pytest --nbval` run as the learner whose outputs are stored in the notebooks, with a book of their own."""

from __future__ import annotations

import os
import signal
import tempfile
from types import FrameType

import pytest

_BOOK = tempfile.TemporaryDirectory(prefix="kubelab-book-")
# The names are those of kubelab.course.seed.REFERENCE and kubelab.grading.book; importing them here would
# load the course before coverage or a test can look on.
os.environ["KUBELAB_SEED"] = "reference"
os.environ["KUBELAB_PROGRESS"] = _BOOK.name


def pytest_configure(config: pytest.Config) -> None:
    """A run that is told to end (by ``timeout``, by CI) takes its clusters down like one that is interrupted."""
    signal.signal(signal.SIGTERM, _end)


def _end(number: int, frame: FrameType | None) -> None:
    pytest.exit("told to end by SIGTERM")
