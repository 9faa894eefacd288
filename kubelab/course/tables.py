"""Rows of words under a head, as text and as HTML."""

from __future__ import annotations

from dataclasses import dataclass

from kubelab.lab.rows import padded as padded
from kubelab.lab.rows import table

LEFT = "text-align: left"


@dataclass(frozen=True)
class Table:
    """A small table."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __repr__(self) -> str:
        return padded([self.head, *self.rows])

    def _repr_html_(self) -> str:
        return table(self.head, self.rows)
