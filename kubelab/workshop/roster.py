"""Who takes part: names in a CSV file, and for each a name that Kubernetes takes.

A learner's label depends on nothing but their own line, so that a list may grow, shrink and be sorted anew between two
runs of `kubelab workshop create`. Two lines that come to the same label are an error and never numbered.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kubelab.workshop.errors import WorkshopError

LONGEST_NAME = 100
LONGEST_LABEL = 40
"""A namespace's name has at most 63 characters (RFC 1123), and the workshop's name stands in it too."""
COLUMNS = {
    "name": ("name", "names", "full name", "learner", "learners", "student", "students", "participant", "participants"),
    "given": ("first name", "firstname", "given name"),
    "family": ("last name", "lastname", "family name", "surname"),
    "email": ("email", "e-mail", "mail", "email address"),
    "user": ("user", "username", "login", "id"),
}
"""What the columns may be called, in letters of either case."""
WRITE_A_HEAD = "Write a head above them: name,email"
SHOWN_PROBLEMS = 10
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i"})
"""Latin letters that Unicode does not take apart into a plain one and an accent."""
_JOINERS = "\u200c\u200d"
"""Invisible, and part of how some names are written."""
_MAIL = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass(frozen=True)
class Learner:
    """One line of the list."""

    name: str
    label: str
    """A DNS label (RFC 1123): lower-case ASCII letters, digits and ``-``."""
    email: str = ""
    line: int = 0


def read_roster(file: Path) -> tuple[Learner, ...]:
    """Everybody in a CSV file, in its order. Raises `WorkshopError`, which names every line that is wrong."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise WorkshopError(f"{file} cannot be read ({error.strerror}); --learners names a CSV file.") from error
    except UnicodeDecodeError as error:
        raise WorkshopError(f"{file} is not text in UTF-8; save it again as “CSV UTF-8”.") from error
    learners: list[Learner] = []
    problems: list[str] = []
    for line, fields in _rows(text, problems):
        try:
            learners.append(_learner(line, fields))
        except ValueError as error:
            problems.append(f"line {line}: {error}")
    problems += _twice(learners)
    if problems:
        more = len(problems) - SHOWN_PROBLEMS
        shown = "\n".join(f"  {problem}" for problem in problems[:SHOWN_PROBLEMS])
        rest = f"\n  … and {more} more" if more > 0 else ""
        raise WorkshopError(f"Nothing was made, because {file} has lines to be mended:\n{shown}{rest}")
    if not learners:
        raise WorkshopError(f"{file} names nobody; write a name a line, or columns. {WRITE_A_HEAD}.")
    return tuple(learners)


def label_of(name: str) -> str:
    """The DNS label that a name comes to: ``Łucja Özgür`` → ``lucja-ozgur``.

    A name without Latin letters or digits becomes ``learner-`` with six digits of its hash.
    """
    plain = unicodedata.normalize("NFKD", name.casefold().translate(_LETTERS))
    label = re.sub(r"[^a-z0-9]+", "-", "".join(c for c in plain if not unicodedata.combining(c))).strip("-")
    mark = hashlib.sha256(unicodedata.normalize("NFC", name).encode()).hexdigest()[:6]
    if not label:
        return f"learner-{mark}"
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 7].rstrip('-')}-{mark}"


def _rows(text: str, problems: list[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Line number and fields by column; empty lines and those that begin with ``#`` are left out."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    columns: Sequence[str] | None = None
    begin = 1
    try:
        for cells in reader:
            line, begin = begin, reader.line_num + 1
            if not any(cell.strip() for cell in cells) or cells[0].lstrip().startswith("#"):
                continue
            if columns is None:
                columns = _head(cells)
                if columns:
                    continue
                columns = _headless(cells)
                if not columns:
                    problems.append(f"line {line}: it has several columns, and which is the name? {WRITE_A_HEAD}")
                    return
            if any(cell.strip() for cell in cells[len(columns) :]):
                problems.append(
                    f"line {line}: it has more columns than the list; put a name with {delimiter!r} in it into "
                    "quotation marks"
                )
                continue
            yield line, dict(zip(columns, (cell.strip() for cell in cells), strict=False))
    except csv.Error as error:
        problems.append(f"line {reader.line_num}: it is not CSV ({error}); a quotation mark may be left open")


def _head(cells: Sequence[str]) -> tuple[str, ...]:
    """What the columns mean, when this is a line of their names; a column that we do not know keeps its own."""
    meanings = {word: column for column, words in COLUMNS.items() for word in words}
    said = [" ".join(cell.casefold().split()) for cell in cells]
    found = tuple(meanings.get(word, f"other {at}") for at, word in enumerate(said))
    return found if COLUMNS.keys() & set(found) else ()


def _headless(cells: Sequence[str]) -> tuple[str, ...]:
    """What the columns mean of a list without a head, by its first line; nothing when that is not clear."""
    if len(cells) == 1:
        return ("email",) if _MAIL.fullmatch(cells[0].strip()) else ("name",)
    return ("name", "email") if "@" in cells[1] or not any(cell.strip() for cell in cells[1:]) else ()


def _learner(line: int, fields: Mapping[str, str]) -> Learner:
    """Raises `ValueError` with what is wrong and what mends it."""
    email, user = fields.get("email", ""), fields.get("user", "")
    said = fields.get("name") or f"{fields.get('given', '')} {fields.get('family', '')}"
    name = " ".join(said.split()) or user or email.partition("@")[0]
    if not name:
        raise ValueError("there is no name; write one, or take the line away")
    if any(unicodedata.category(letter).startswith("C") for letter in name if letter not in _JOINERS):
        raise ValueError("the name has a character that cannot be seen; type it anew")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"the name has {len(name)} characters; {LONGEST_NAME} are enough, write a short form")
    if email and not _MAIL.fullmatch(email):
        raise ValueError(f"{email!r} is no e-mail address; mend it, or leave it empty")
    if user and label_of(user) != user.lower():
        raise ValueError(
            f"{user!r} cannot be part of a namespace's name; write a user of letters a-z, digits and -, "
            f"at most {LONGEST_LABEL}, for example {label_of(user)}"
        )
    return Learner(name, label_of(user or name), email, line)


def _twice(learners: Sequence[Learner]) -> Iterator[str]:
    seen: dict[str, Learner] = {}
    for learner in learners:
        first = seen.setdefault(learner.label, learner)
        if first is learner:
            continue
        if (first.name, first.email) == (learner.name, learner.email):
            yield f"line {learner.line}: {learner.name!r} stands in line {first.line} already; take one away"
        else:
            yield (
                f"line {learner.line}: {learner.name!r} and {first.name!r} of line {first.line} would both be "
                f"{learner.label}; tell them apart in a column `user`"
            )
