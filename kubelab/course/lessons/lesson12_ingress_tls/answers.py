"""What a learner found out about the three hosts of task 12.3: written into the book, for the check."""

from __future__ import annotations

from collections.abc import Mapping

from kubelab.grading import Book
from kubelab.lab.errors import LabError

KIND, TASK_ID = "answer", "12.3"
EXPIRED = "the certificate has expired"
OTHER_NAME = "the certificate is for another name"
SELF_SIGNED = "the certificate is self-signed"
NO_INTERMEDIATE = "the intermediate certificate is missing"
NO_SECRET = "there is no such Secret"
NOT_LISTED = "the host is not in tls.hosts"
OTHER_KEY = "the key is another certificate's"
CAUSES = (EXPIRED, OTHER_NAME, SELF_SIGNED, NO_INTERMEDIATE, NO_SECRET, NOT_LISTED, OTHER_KEY)


class Answer(dict[str, str]):
    """What was written down."""

    def __repr__(self) -> str:
        return "\n".join(["written down; now check it", *(f"  {host}: {cause}" for host, cause in self.items())])


def answer(task_id: str, causes: Mapping[str, str]) -> Answer:
    """Write down what is wrong with each host: ``answer("12.3", {"www.example.test": "…"})``. Raises `LabError`."""
    if task_id != TASK_ID:
        raise LabError(f"Task {task_id} is not answered in words; {TASK_ID} is.")
    odd = next((cause for cause in causes.values() if cause not in CAUSES), None)
    if odd is not None:
        raise LabError(f"{odd!r} is none of the causes; there are {', '.join(map(repr, CAUSES))}.")
    Book().write(KIND, TASK_ID, dict(causes))
    return Answer(causes)


def given() -> dict[str, str] | None:
    """The newest answer; None when there is none."""
    found = Book().last(KIND, TASK_ID)
    return dict(found) if found else None


def forget() -> None:
    """A new start: what was answered before counts no more."""
    Book().write(KIND, TASK_ID, None)
