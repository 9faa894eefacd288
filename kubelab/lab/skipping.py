"""What a notebook shows of a cell that asks for what the cluster lacks: the reason, and no error.

An error would end "Run All Cells" there, and the cells below that need what the cell would have made would each break
with a NameError, or take up what an earlier cell has left under that name. So the reason stands in the error's place,
also below those cells, and the notebook goes on.
"""

from __future__ import annotations

import html
import re
import symtable
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from kubelab.clusters import base
from kubelab.lab import errors
from kubelab.lab.palette import QUIET

_FRAME = f"border-left: 4px solid {QUIET}; padding: 0.3em 0.8em; font-family: var(--jp-ui-font-family, sans-serif)"
_HANDLER = "kubelab_skipping"
_NOTHING = object()


class Skipping:
    """The skipped cells of one notebook."""

    def __init__(self, names: dict[str, Any]) -> None:
        """``names``: the notebook's, and what they stand for."""
        self._names = names
        self._before: Mapping[str, Any] = {}
        """What the names that this cell sets stood for when it began."""
        self._lost: dict[str, str] = {}
        """Name → why the cell that would have set it was skipped."""
        self._told: BaseException | None = None

    def begin(self, info: Any) -> None:
        """A cell begins."""
        self._before = {name: self._names.get(name, _NOTHING) for name in names_set_by(info.raw_cell or "")}

    def caught(
        self, shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType, tb_offset: Any = None
    ) -> None:
        """A cell was broken off: by what the cluster lacks, or by a name that is not there."""
        missing = str(getattr(error, "name", ""))
        skipped = missing in self._lost if isinstance(error, NameError) else str(error).startswith(base.SKIPPED)
        if not skipped:
            shell.showtraceback((kind, error, trace), tb_offset=tb_offset, running_compiled_code=True)
            return
        self._told = error
        if isinstance(error, NameError):
            reason, because = self._lost[missing], missing
        else:
            reason, because = str(error).removeprefix(base.SKIPPED), ""
        for name, value in self._before.items():
            if self._names.get(name, _NOTHING) is value:
                self._names.pop(name, None)
                self._lost[name] = reason
        _show(reason, because)

    def end(self, result: Any) -> None:
        """A cell ended: one that was skipped is not one that failed."""
        if result is not None and self._told is not None and result.error_in_exec is self._told:
            result.error_in_exec = None
        self._told = None


def names_set_by(source: str) -> set[str]:
    """The names that a cell would give values to in the notebook; not those inside its functions."""
    try:
        found = symtable.symtable(source, "cell", "exec").get_symbols()
    except SyntaxError:  # a magic command
        return set()
    return {each.get_name() for each in found if each.is_assigned() and not each.is_imported()}


def in_notebooks() -> None:
    """Let the notebook that runs this show its skipped cells so; quiet where none runs, or it does already."""
    loaded = sys.modules.get("IPython")
    if loaded and (shell := loaded.get_ipython()) and not hasattr(shell, _HANDLER):
        _listen(shell)


def _listen(shell: Any) -> None:
    skipping = Skipping(shell.user_ns)
    setattr(shell, _HANDLER, skipping)
    shell.set_custom_exc((errors.LabError, base.ClusterError, NameError), skipping.caught)
    shell.events.register("pre_run_cell", skipping.begin)
    shell.events.register("post_run_cell", skipping.end)


def _show(reason: str, missing: str) -> None:
    """``missing``: what this cell wanted of one that was skipped for that reason; empty: the reason is its own."""
    from IPython.display import display

    sentence = re.sub("`([^`]+)`", r"<code>\1</code>", html.escape(reason[:1].upper() + reason[1:]))
    if missing:
        note = f"<b>Skipped, too</b>: <code>{html.escape(missing)}</code> would have come from a cell that was skipped."
    else:
        note = f"<b>Skipped on this cluster.</b> {sentence}"
    display(
        {"text/html": f'<div style="{_FRAME}">{note}</div>', "text/plain": f"{base.SKIPPED}{reason}"},
        raw=True,
    )
