"""A pytest plugin: writes down which tests failed, for whoever wants to run them again (``tools/suite.py``)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VARIABLE = "KUBELAB_FAILURES"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A line a failure."""
    if report.failed and (path := os.environ.get(VARIABLE)):
        with Path(path).open("a") as lines:
            lines.write(f"{report.nodeid}\n")
