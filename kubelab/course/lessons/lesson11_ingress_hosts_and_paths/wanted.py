"""A routing table as it is wanted: requests, and whose answer each is to get. What a table test is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import NamedTuple

from kubelab.course.tables import LEFT, padded
from kubelab.grading import Evidence
from kubelab.lab.lab import Lab
from kubelab.lab.requests import Cell, listed, measure


class Wanted(dict[str, str]):
    """URL → the Deployment whose pod is to answer, or the status code when none is to."""

    def __repr__(self) -> str:
        return padded([("request", "wanted"), *self.items()])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='{LEFT}'><code style='background: none'>{escape(url)}</code></td>"
            f"<td style='{LEFT}'>{escape(who)}</td></tr>"
            for url, who in self.items()
        )
        head = f"<tr><th style='{LEFT}'>request</th><th style='{LEFT}'>wanted</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


class Found(NamedTuple):
    """What one request of the table got."""

    url: str
    wanted: str
    got: str
    why: str
    """The rule that it met, and why that one, computed from the objects."""

    @property
    def good(self) -> bool:
        """Whether it is what was wanted."""
        return self.wanted == self.got

    @property
    def evidence(self) -> Evidence:
        """One line, the same on every run."""
        more = "" if self.good else f", wanted is {self.wanted}"
        return Evidence(f"{self.url.removeprefix('http://')}: {self.got}{more}", self.good)


def ask(lab: Lab, wanted: Mapping[str, str], *, via: str = "", timeout: float = 3.0) -> list[Found]:
    """Send every request; what was applied a moment ago gets its moment. ``via``: another way in. Raises `LabError`."""
    measured = measure(lab, listed(list(wanted)), {}, via=via, timeout=timeout)
    cells = {cell.url: cell for cell in measured.cells.values()}
    return [Found(url, who, _got(cells[url]), _why(cells[url])) for url, who in wanted.items()]


def all_good(found: Iterable[Found]) -> bool:
    """Whether every request got what was wanted."""
    return all(each.good for each in found)


def _got(cell: Cell) -> str:
    """The Deployment that answered with 200, whatever Service led there; else what came."""
    reply = cell.reply
    return reply.workload if reply.code == 200 and reply.workload else reply.words


def _why(cell: Cell) -> str:
    if cell.decision is None:
        return "no entrance of the ingress has this port"
    return f"{cell.decision.rule}, {cell.decision.because}" if cell.decision.rule else cell.decision.because
