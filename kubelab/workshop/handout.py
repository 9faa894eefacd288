"""The folder that an instructor hands out from: a kubeconfig a learner, and a list of who is who."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kubelab.grading.export import harmless
from kubelab.lab.errors import ApiError
from kubelab.workshop import tokens
from kubelab.workshop.access import Access
from kubelab.workshop.errors import WorkshopError
from kubelab.workshop.making import Made
from kubelab.workshop.plan import Plan

INDEX = "handout.csv"
COLUMNS = ("learner", "name", "email", "namespace", "host", "kubeconfig", "expires")
SHORTER = timedelta(minutes=1)
"""From how much less than was asked for a token's life counts as shortened by the server."""


@dataclass(frozen=True)
class Given:
    """What a learner gets."""

    made: Made
    file: Path
    expires: datetime | None = None
    renewed: bool = False
    shortened: bool = False
    """Whether the server gave the token a shorter life than was asked for."""
    problem: str = ""


class Handout:
    """A folder that nobody else can look into. Raises `WorkshopError` where it cannot be written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with _written(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def give(
        self,
        access: Access,
        plan: Plan,
        everyone: Sequence[Made],
        seconds: int,
        *,
        renew: bool = False,
        done: Callable[[Given], None] = lambda _: None,
    ) -> list[Given]:
        """Write everybody's kubeconfig; a token that is still good stays, unless ``renew``."""
        now = datetime.now(UTC)

        def one(made: Made) -> Given:
            where, file = plan.namespace(made.learner), self.folder / f"{made.learner.label}.kubeconfig"
            before = _read(file)
            token = None if renew else tokens.kept(before, where, made.account_uid, now)
            fresh = token is None
            try:
                token = token or tokens.issued(access, where, seconds)
            except ApiError as error:
                return Given(made, file, problem=f"There is no token for {where} ({error}); run this again.")
            text = tokens.kubeconfig(access.address, plan.name, where, made.learner.label, token.text)
            if text != before:
                write_private(file, text)
            short = fresh and token.expires < now + timedelta(seconds=seconds) - SHORTER
            return Given(made, file, token.expires, fresh, short)

        given = access.each(one, everyone, done)
        self._index(plan, given)
        return given

    def _index(self, plan: Plan, given: Iterable[Given]) -> None:
        """Those of this run, and those of earlier ones whose kubeconfigs are still there."""
        rows = {row["learner"]: row for row in csv.DictReader(io.StringIO(_read(self.folder / INDEX)))
                if set(COLUMNS) <= set(row) and (self.folder / row["kubeconfig"]).is_file()}  # fmt: skip
        for each in given:
            learner = each.made.learner
            expires = each.expires.strftime("%Y-%m-%dT%H:%M:%SZ") if each.expires else ""
            values = (learner.label, harmless(learner.name), harmless(learner.email), plan.namespace(learner),
                      plan.host(learner), each.file.name, expires)  # fmt: skip
            rows[learner.label] = dict(zip(COLUMNS, values, strict=True))
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows[label] for label in sorted(rows))
        write_private(self.folder / INDEX, text.getvalue())


def write_private(file: Path, text: str) -> None:
    """Put a file in its place as a whole, readable by its owner only. Raises `WorkshopError`."""
    with _written(file):
        # mkstemp's files have mode 0600 from the beginning
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as out:
                out.write(text)
            os.replace(name, file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """Turns what the system refuses into a sentence."""
    try:
        yield
    except OSError as error:
        raise WorkshopError(
            f"{path} cannot be written ({error.strerror}); --out names a folder that you may write to."
        ) from error


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return ""
    except OSError as error:
        raise WorkshopError(f"{file} cannot be read ({error.strerror}); --out names a folder of your own.") from error
