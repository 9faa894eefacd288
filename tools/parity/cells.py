"""A pytest plugin beside nbval: ``-p tools.parity.cells --parity-cells FILE`` writes a line of JSON for each cell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nbval.plugin import IPyNbCell


def pytest_addoption(parser: pytest.Parser) -> None:
    """The file to append to."""
    parser.addoption("--parity-cells", default="", help="append what became of each cell to this file")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Called for each phase of each cell; the one that ran the cell is written down, or one that failed before."""
    report = yield
    file = item.config.getoption("--parity-cells")
    if file and isinstance(item, IPyNbCell) and (call.when == "call" or call.excinfo is not None):
        with Path(file).open("a") as lines:
            lines.write(json.dumps(_told(item, call)) + "\n")
    return report


def _told(item: IPyNbCell, call: pytest.CallInfo[None]) -> dict[str, Any]:
    failure = call.excinfo.value if call.excinfo is not None else None
    inner = getattr(failure, "inner_traceback", "") or ""
    return {
        "id": item.cell.get("id", str(item.cell_num)),
        "source": item.cell.source,
        "passed": failure is None,
        "shown": "\n".join(_text(output) for output in item.test_outputs or ()),
        "failure": f"{failure}\n{inner}".strip() if failure is not None else "",
    }


def _text(output: Any) -> str:
    """What a reader of the notebook would read."""
    if "data" in output:
        return str(output["data"].get("text/plain", ""))
    return str(output.get("text") or output.get("evalue") or "")
