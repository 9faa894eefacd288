"""Tests and `pytest --nbval` run as the learner whose outputs are stored in the notebooks, with a book of their own."""

from __future__ import annotations

import os
import tempfile

_BOOK = tempfile.TemporaryDirectory(prefix="kubelab-book-")
# The names are those of kubelab.course.seed.REFERENCE and kubelab.grading.book; importing them here would
# load the course before coverage or a test can look on.
os.environ["KUBELAB_SEED"] = "reference"
os.environ["KUBELAB_PROGRESS"] = _BOOK.name
