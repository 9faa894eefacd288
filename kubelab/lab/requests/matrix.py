"""A grid of requests: what somebody predicted, what the objects ask for, and what was really answered, cell by cell."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kubelab.lab.errors import LabError
from kubelab.lab.requests.replies import Reply
from kubelab.lab.requests.settling import agrees
from kubelab.routing.decide import Decision

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab
    from kubelab.routing.model import Table

SETTLE_SECONDS = 3.0
"""So long a request is sent again that is not answered as the objects ask for: what was just applied is on its way."""
_POLL_SECONDS = 0.1
_OR = " or "


class Place(NamedTuple):
    """A cell's place, by what stands at the head of its row and of its column."""

    row: str
    column: str


Grid = Mapping[Place, str]
"""The URL of each cell."""


@dataclass(frozen=True)
class Cell:
    """One request."""

    url: str
    predicted: str
    """Empty: nothing was."""
    decision: Decision | None
    """What the objects ask for; None where nothing listens at the URL's port."""
    reply: Reply
    namespace: str

    @property
    def right(self) -> bool | None:
        """Whether it was answered as predicted; None when nothing was. Of several by weight: if all were predicted."""
        if not self.predicted:
            return None
        if self._weighted:
            return set(self.predicted.split(_OR)) == set(self.came.split(_OR))
        return came_true(self.predicted, self.reply)

    @property
    def as_asked(self) -> bool:
        """Whether it was answered as the objects ask for."""
        if self.decision is None:
            return self.reply.code is None
        return agrees(self.decision, self.reply, self.namespace)

    @property
    def came(self) -> str:
        """``web``, ``404``, ``web (not trusted)``; ``canary or web`` where weights decide: which it was is chance."""
        if self._weighted:
            return _OR.join(self._weighted)
        return f"{self.reply.words} (not trusted)" if self.reply.why_not and not self.reply.error else self.reply.words

    @property
    def _weighted(self) -> list[str]:
        """Who may answer, when it is more than one and one of them did."""
        if self.decision is None or len(self.decision.shares) < 2 or not self.as_asked:
            return []
        return sorted(share.words(self.namespace) for share in self.decision.shares)

    @property
    def computed(self) -> str:
        """What the objects ask for: ``web``, ``404``."""
        return self.decision.words(self.namespace) if self.decision else "nothing listens there"


@dataclass(frozen=True)
class Matrix:
    """The cells of a grid, answered."""

    cells: Mapping[Place, Cell]

    @property
    def rows(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(place.row for place in self.cells))

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(place.column for place in self.cells))

    @property
    def predicted(self) -> int:
        """For how many cells there is a prediction."""
        return sum(cell.right is not None for cell in self.cells.values())

    @property
    def right(self) -> int:
        """How many came as predicted."""
        return sum(cell.right is True for cell in self.cells.values())

    @property
    def sentence(self) -> str:
        """``24 requests: 22 of 24 as predicted``."""
        said = f"{self.right} of {self.predicted} as predicted" if self.predicted else "nothing predicted"
        odd = sum(not cell.as_asked for cell in self.cells.values())
        more = f"; {odd} not answered as the objects ask for" if odd else ""
        return f"{len(self.cells)} request{'s' * (len(self.cells) != 1)}: {said}{more}"


def came_true(predicted: str, reply: Reply) -> bool:
    """Whether an answer is the predicted one: a Service's or Deployment's name, a status code, an error."""
    wanted = predicted.strip().lower()
    if wanted.isdigit():
        return reply.code == int(wanted) and (wanted == "200" or not reply.pod)
    return wanted in (
        reply.words.lower(),
        reply.error,
        *((*reply.services, reply.workload) if reply.code == 200 else ()),
    )


def grid(hosts: Iterable[str], paths: Iterable[str], schemes: Iterable[str]) -> Grid:
    """Paths are rows; hosts, and schemes where there are several, are columns."""
    given = tuple(schemes)
    return {
        Place(path, host if len(given) == 1 else f"{scheme}://{host}"): f"{scheme}://{host}{path}"
        for path in paths
        for host in hosts
        for scheme in given
    }


def listed(urls: Mapping[str, str] | Iterable[str]) -> Grid:
    """A row a URL, under a label where there is one."""
    pairs = urls.items() if isinstance(urls, Mapping) else [(url, url) for url in urls]
    return {Place(label, ""): url if "://" in url else f"http://{url}" for label, url in pairs}


def predictions(grid: Grid, given: Mapping[str, str | int]) -> dict[Place, str]:
    """Who said what of which cell: by URL, by host and path, by path alone or by a row's label.

    Raises `LabError` for a key that is no cell's.
    """
    found: dict[Place, str] = {}
    for key, words in given.items():
        places = [place for place, url in grid.items() if key in (url, url.partition("://")[2], place.row)]
        if not places:
            raise LabError(f"{key!r} is predicted, and no request of this matrix is for it.")
        found.update(dict.fromkeys(places, str(words)))
    return found


def measure(
    lab: Lab, grid: Grid, predicted: Mapping[Place, str], *, via: str = "", verify: bool = False, timeout: float = 3.0
) -> Matrix:
    """Send every request. Those that are not answered as the objects ask for are sent again for a while.

    Raises `LabError`.
    """
    deadline = time.monotonic() + SETTLE_SECONDS
    cells: dict[Place, Cell] = {}
    open_ = list(grid)
    while open_:
        table = lab.routing()
        replies = lab.requests(*(grid[place] for place in open_), via=via, verify=verify, timeout=timeout)
        for place, reply in zip(open_, replies, strict=True):
            decision = _decision(lab, grid[place], via, table)
            cells[place] = Cell(grid[place], predicted.get(place, ""), decision, reply, lab.namespace)
        open_ = [place for place in open_ if not cells[place].as_asked]
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL_SECONDS if open_ else 0)
    return Matrix({place: cells[place] for place in grid})


def _decision(lab: Lab, url: str, via: str, table: Table) -> Decision | None:
    try:
        return lab.decide(url, via=via, at=table)
    except LabError:
        return None  # no entrance at this port: shown as such
