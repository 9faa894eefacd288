"""For `pytest --nbval`: run as the learner whose outputs are stored, with an empty book of their own."""

from __future__ import annotations

import os
import tempfile

from kubelab.course.seed import REFERENCE
from kubelab.grading.book import FOLDER_VARIABLE, SEED_VARIABLE

_BOOK = tempfile.TemporaryDirectory(prefix="kubelab-book-")
os.environ[SEED_VARIABLE] = REFERENCE
os.environ[FOLDER_VARIABLE] = _BOOK.name
